/** A whole router in the test's process: real store, real chains, a far end that the test scripts, and a clock that it moves. */
import { tmpdir } from 'node:os';
import path from 'node:path';
import { registry } from '../../src/lib/chain/registry.ts';
import type { StepRegistry } from '../../src/lib/chain/step-registry.ts';
import { parseRouterConfig } from '../../src/lib/config/load.ts';
import type { Admission } from '../../src/lib/core/admission.ts';
import { memoryBody } from '../../src/lib/core/body.ts';
import type { Clock, Deps } from '../../src/lib/core/deps.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { RouterMeter } from '../../src/lib/core/meters.ts';
import { isOk, type Response } from '../../src/lib/core/response.ts';
import { systemClock } from '../../src/lib/ops/clock.ts';
import { Router } from '../../src/lib/router/router.ts';
import { Spool } from '../../src/lib/spool/spool.ts';
import { openStore } from '../../src/lib/store/open.ts';
import type { Store } from '../../src/lib/store/store.ts';
import { FakeClock } from './fake-clock.ts';
import { fakeDns, type LogLine, memoryLog, seededRng } from './fake-deps.ts';
import { FarEnd } from './far-end.ts';
import { storeInNoTime } from './store-in-no-time.ts';

export interface HarnessOptions {
  readonly databaseUrl: string;
  /** Replaces the default chains and senders: everything below `global`, `rest_listener` and `storage`. */
  readonly chains?: string;
  readonly clock?: Clock;
  readonly sessionUri?: string;
  readonly seed?: number;
  readonly globals?: string;
  readonly far?: FarEnd;
  readonly storage?: string;
  /** Stands between the router and its store, to play a database in trouble. */
  readonly wrapStore?: (store: Store) => Store;
  /** What all messages may hold in memory together. */
  readonly inMemoryBytes?: number;
  readonly meter?: RouterMeter;
  readonly admission?: Admission;
  /** With the steps of plugins. */
  readonly registry?: StepRegistry;
}

export interface Harness {
  readonly router: Router;
  readonly store: Store;
  readonly spool: Spool;
  readonly far: FarEnd;
  readonly clock: FakeClock;
  readonly deps: Deps;
  readonly log: readonly LogLine[];
  stop(): Promise<void>;
}

/** Ingress and submission over one delivering chain, a native sender, and notifications; time-outs short enough to reason about. */
export const DEFAULT_CHAINS = `
sender:
- name: ingress
  output_chain: mx
  tag: [{name: out, output_chain: deliver}]
  upstream_tag: out
- name: submission
  output_chain: msa
  tag: [{name: out, output_chain: deliver}]
  upstream_tag: out
- name: stored
  output_chain: stored
  tag: [{name: out, output_chain: deliver}]
  upstream_tag: out
- name: native
  output_chain: deliver
  retry: output_chain
  notification: output_chain
- name: oneshot
  output_chain: deliver
- name: bounces
  output_chain: deliver
  retry: output_chain
rest_endpoint:
- {name: far, endpoint: 'http://far.example:1/senders/router/transactions', sender: router}
endpoint:
- name: mx
  chain: [{filter: exploder, rcpt_timeout: 10, data_timeout: 20}]
- name: msa
  chain: [{filter: exploder, msa: true, rcpt_timeout: 10, data_timeout: 20}]
- name: stored
  chain: [{filter: exploder, msa: true, rcpt_timeout: 0, data_timeout: 0}]
- name: deliver
  output_handler:
    downstream_timeout: 60
    retry_params: {max_attempts: 3, min_attempt_time: 60, max_attempt_time: 600, deadline: 86400}
    notification: {sender: bounces}
  chain:
  - {filter: message_builder}
  - {filter: router, destination: {endpoint: far}}
  - {filter: rest_output, rcpt_timeout: 300, data_timeout: 300}
`;

export async function startRouter(options: HarnessOptions): Promise<Harness> {
  const clock = (options.clock as FakeClock | undefined) ?? new FakeClock();
  const log = memoryLog();
  const deps: Deps = { clock, rng: seededRng(options.seed ?? 1), dns: fakeDns(), log };
  const config = parseRouterConfig(
    `global: {mailer_daemon_mailbox: mailer-daemon@koukan.example${options.globals ?? ''}}
rest_listener: {addr: ['127.0.0.1', 0], session_uri: '${options.sessionUri ?? 'http://127.0.0.1:8000'}'}
storage: {url: '${options.databaseUrl}', auto_migrate: true${options.storage ?? ''}}
${options.chains ?? DEFAULT_CHAINS}`,
    'router.yaml',
  );
  const url = options.databaseUrl;
  const opened = await openStore({ url, clock, waits: systemClock, log, autoMigrate: true });
  const timed = clock instanceof FakeClock ? storeInNoTime(opened, clock) : opened;
  const store = options.wrapStore?.(timed) ?? timed;
  const spool = new Spool(path.join(tmpdir(), 'koukan-test-spool'), deps, options.inMemoryBytes);
  await spool.prepare();
  const far = options.far ?? new FarEnd();
  const router = new Router({
    config,
    deps,
    registry: options.registry ?? registry,
    store,
    spool,
    hop: () => far,
    ...(options.meter && { meter: options.meter }),
    ...(options.admission && { admission: options.admission }),
  });
  await router.start();
  return { router, store, spool, far, clock, deps, log: log.lines, stop: () => router.stop(AbortSignal.abort()) };
}

export interface SmtpVerdict {
  readonly mail: Response;
  readonly rcpts: readonly Response[];
  readonly data: Response | undefined;
}

/** Sends one message as the SMTP gateway in the same process does. */
export async function sendAs(
  harness: Harness,
  sender: string,
  rcpts: readonly string[],
  text = 'subject: hi\r\n\r\nhello\r\n',
  mailFrom = 'alice@example.com',
): Promise<SmtpVerdict> {
  const exchange = openExchange(harness, sender);
  const mail = await exchange.mail(mailbox(mailFrom));
  const replies: Response[] = [];
  for (const rcpt of rcpts) replies.push(await exchange.rcpt(mailbox(rcpt)));
  const data = replies.some(isOk) ? await exchange.data(memoryBody(Buffer.from(text))) : undefined;
  await exchange.close();
  return { mail, rcpts: replies, data };
}

export function openExchange(harness: Harness, sender: string): Exchange {
  return harness.router.hop.open({ sender, rcptTimeoutMs: 60_000, dataTimeoutMs: 600_000, createAt: 'mail' });
}
