/** A next hop over the wire: our own router and gateway, upstream's, or an application that receives mail (see `core/hop.ts`). */
import { exitCodes, UserError } from '../core/errors.ts';
import type { Hop, HopOptions } from '../core/hop.ts';
import { peerTrust } from './credentials.ts';
import type { HttpClient } from './http-client.ts';
import { HttpExchange } from './http-exchange.ts';
import type { Peer } from './remote-transaction.ts';
import { resolveUrl } from './request.ts';

export interface HttpHopOptions extends HopOptions {
  /** The create URL: `http://router:8000/senders/ingress/transactions`. */
  readonly endpoint: string;
  readonly client: HttpClient;
  readonly deps: Peer['deps'];
}

const REFRESH_INTERVAL_MS = 30_000;

/**
 * Makes a hop; throws `UserError` when the endpoint is no http URL or the CA file cannot be read. With `createAt: 'rcpt'`, the answer to `mail`
 * comes only after `rcpt` was called: issue both, then wait.
 */
export function httpHop(options: HttpHopOptions): Hop {
  const { client, deps } = options;
  const endpoint = URL.canParse(options.endpoint) ? resolveUrl(options.endpoint, new URL(options.endpoint)) : undefined;
  if (endpoint === undefined) throw new UserError(`not an http URL: ${options.endpoint}`, exitCodes.config);
  let offersDsn: boolean | undefined;
  const heardDsn = (isOffered: boolean): void => {
    offersDsn = isOffered;
  };
  const peer: Peer = { client, trust: peerTrust(endpoint, options, deps), deps, heardDsn };
  const exchangeOptions = {
    endpoint,
    chunkSize: options.chunkSize ?? Number.POSITIVE_INFINITY,
    refreshIntervalMs: options.refreshIntervalMs ?? REFRESH_INTERVAL_MS,
  };
  return {
    get offersDsn() {
      return offersDsn;
    },
    open: (ask) => new HttpExchange(peer, exchangeOptions, ask),
  };
}
