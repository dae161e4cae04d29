/** A hop over HTTP for tests, with connections that are closed after the test. */
import { onTestFinished } from 'vitest';
import type { Deps } from '../../src/lib/core/deps.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import type { HopAsk } from '../../src/lib/core/hop.ts';
import { HttpClient } from '../../src/lib/http/http-client.ts';
import { type HttpHopOptions, httpHop } from '../../src/lib/http/http-hop.ts';
import { fakeDeps, realClock } from '../helpers/fake-deps.ts';

export interface OpenOptions {
  readonly ask?: Partial<HopAsk>;
  readonly hop?: Partial<HttpHopOptions>;
  readonly deps?: Partial<Deps>;
}

/** Opens an exchange with `{url}/senders/router/transactions`. */
export function openExchange(url: string, { ask, hop, deps }: OpenOptions = {}): Exchange {
  const client = new HttpClient();
  onTestFinished(() => client.close(AbortSignal.abort()));
  const made = httpHop({
    endpoint: `${url}/senders/router/transactions`,
    client,
    deps: fakeDeps({ clock: realClock, ...deps }),
    ...hop,
  });
  return made.open({ sender: 'router', rcptTimeoutMs: 20_000, dataTimeoutMs: 20_000, createAt: 'rcpt', ...ask });
}
