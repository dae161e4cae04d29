/** Runs the parts of a plugin in a real chain without a router, for the plugin's own tests: in goes what SMTP would bring, out come replies. */
import type { CompileEnv } from '../chain/compile.ts';
import { defineOutput, type OutputDefinition, type TxContext } from '../chain/filter.ts';
import { ConfigError, type ConfigMistake } from '../config/source.ts';
import { bodyBytes, memoryBody } from '../core/body.ts';
import type { Deps, Log } from '../core/deps.ts';
import type { Origin } from '../core/envelope.ts';
import { InvariantError } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import { type EsmtpParam, type Mailbox, mailbox } from '../core/mailbox.ts';
import { type Response, reply } from '../core/response.ts';
import { DEFAULT_RETRY } from '../core/retry.ts';
import type { Plugin } from './plugin.ts';

export interface TestChainAsk {
  readonly plugins: readonly Plugin[];
  /** The chain as in YAML: `[{ filter: 'hello', greeting: 'hi' }]`. Without an output at its end it gets one that records what comes out. */
  readonly chain: readonly ({ readonly filter: string } & Readonly<Record<string, unknown>>)[];
  /** Who is connected: `remoteHost`, `localHost`, `smtpMeta`. */
  readonly origin?: Origin;
  /** What the next hop answers; 250 to everything by default. */
  readonly replies?: {
    readonly mail?: Response;
    readonly rcpt?: (to: Mailbox) => Response;
    readonly data?: Response;
  };
  /** A clock, randomness or DNS of the test; by default the clock is real, and no name exists. */
  readonly deps?: Partial<Deps>;
}

export interface TestLogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One transaction of the chain. */
export interface TestChain {
  mail(address: string, params?: readonly EsmtpParam[]): Promise<Response>;
  rcpt(address: string, params?: readonly EsmtpParam[]): Promise<Response>;
  data(message: string | Buffer): Promise<Response>;
  /** Ends it: `tx.signal` aborts. */
  close(): Promise<void>;
  /** What came out at the end of a chain without an output of its own, in order. */
  readonly reached: { readonly mail: Mailbox[]; readonly rcpt: Mailbox[]; readonly data: Buffer[] };
  /** The transaction behind the filters: `tx.route` is where a router sent it. */
  readonly tx: TxContext;
  /** What the filters observed, in its wire form by wire name. */
  readonly signals: Readonly<Record<string, unknown>>;
  readonly log: readonly TestLogLine[];
}

/**
 * Compiles the chain as `koukan config check` would, and opens one transaction. Rejects with `ConfigError` for whatever is wrong with the
 * plugins or the options; its message says all of it.
 *
 * ```js
 * const chain = await openTestChain({ plugins: [hello], chain: [{ filter: 'hello' }] });
 * await chain.mail('ann@example.com');
 * await chain.rcpt('bob@example.org');
 * const answer = await chain.data('Subject: hi\r\n\r\nhello\r\n');
 * assert.equal(answer.code, 250);
 * ```
 */
export async function openTestChain(ask: TestChainAsk): Promise<TestChain> {
  const { compileChain } = await import('../chain/compile.ts');
  const reached: TestChain['reached'] = { mail: [], rcpt: [], data: [] };
  let opened: TxContext | undefined;
  const registry = await registryFor(
    ask,
    () => recording(reached, ask.replies ?? {}),
    (tx) => {
      opened = tx;
    },
  );
  const log: TestLogLine[] = [];
  const deps = await depsFor(ask, log);
  const hasOutput = registry.stepNamed(ask.chain.at(-1)?.filter ?? '')?.kind === 'output';
  const steps = [...ask.chain, ...(hasOutput ? [] : [{ filter: RECORDER }])].map(({ filter, ...options }, i) => {
    return { filter, options, path: ['chain', i] };
  });
  const outputHandler = { downstreamTimeoutMs: 60_000, upstreamRefreshMs: 30_000, retryParams: DEFAULT_RETRY };
  const compiled = compileChain(
    { name: 'test', outputHandler, steps, path: [] },
    { name: 'test', outputChain: 'test', retry: false, notification: false, upstreamSender: 'test' },
    compileEnv(deps),
    registry,
  );
  const signals: Record<string, unknown> = {};
  const onSignal = (wireName: string, json: unknown): void => {
    signals[wireName] = json;
  };
  const exchange = compiled.open({ id: 'test', origin: ask.origin ?? {}, log: deps.log, onSignal });
  if (opened === undefined) throw new InvariantError('a chain that is opened opens its output');
  return {
    mail: (address, params) => exchange.mail(mailbox(address, params)),
    rcpt: (address, params) => exchange.rcpt(mailbox(address, params)),
    data: (message) => exchange.data(memoryBody(Buffer.from(message))),
    close: () => exchange.close(),
    reached,
    tx: opened,
    signals,
    log,
  };
}

const RECORDER = 'test_output';

/** The steps of the program, those of the plugins, and one that records. */
async function registryFor(ask: TestChainAsk, record: () => Exchange, onOpen: (tx: TxContext) => void) {
  const { registry } = await import('../chain/registry.ts');
  const { stepRegistry } = await import('../chain/step-registry.ts');
  const { shaped } = await import('./plugin-shape.ts');
  const { withPlugins } = await import('./load-plugins.ts');
  const { z } = await import('zod');
  const mistakes: ConfigMistake[] = [];
  const plugins = ask.plugins.flatMap((given, i) => {
    const checked = shaped('plugin', given);
    if ('value' in checked) return [{ path: ['plugins', i], isWhole: true, plugin: checked.value }];
    mistakes.push(...checked.problems.map((message) => ({ path: ['plugins', i], message })));
    return [];
  });
  const config = z.strictObject({});
  const recorder = defineOutput({ name: RECORDER, summary: '', incremental: false, config, create: () => record });
  const base = stepRegistry([...registry.steps, recorder], registry.vocabulary);
  const whole = withPlugins(base, plugins, mistakes);
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return stepRegistry(
    whole.steps.map((step) => (step.kind === 'output' ? observed(step, onOpen) : step)),
    whole.vocabulary,
  );
}

function observed(output: OutputDefinition, onOpen: (tx: TxContext) => void): OutputDefinition {
  return {
    ...output,
    create: (config, env) => {
      const open = output.create(config, env);
      return (tx) => {
        onOpen(tx);
        return open(tx);
      };
    },
  };
}

function recording(reached: TestChain['reached'], replies: NonNullable<TestChainAsk['replies']>): Exchange {
  const ok = reply(250, '2.0.0', 'ok');
  return {
    async mail(from) {
      reached.mail.push(from);
      return replies.mail ?? ok;
    },
    async rcpt(to) {
      reached.rcpt.push(to);
      return replies.rcpt?.(to) ?? ok;
    },
    async data(body) {
      reached.data.push(await bodyBytes(body));
      return replies.data ?? ok;
    },
    close: () => Promise.resolve(),
  };
}

async function depsFor(ask: TestChainAsk, lines: TestLogLine[]): Promise<Deps> {
  const { systemClock } = await import('../ops/clock.ts');
  const { systemRng } = await import('../ops/rng.ts');
  const nothing = async () => ({ status: 'notFound' }) as const;
  const dns = { mx: nothing, addresses: nothing, ptr: nothing, txt: nothing };
  return { clock: systemClock, rng: systemRng, dns, log: recordingLog(lines, {}), ...ask.deps };
}

function recordingLog(lines: TestLogLine[], bound: object): Log {
  const at =
    (level: TestLogLine['level']) =>
    (fields: object, text: string): void => {
      lines.push({ level, text, fields: { ...bound, ...fields } });
    };
  const child = (fields: object): Log => recordingLog(lines, { ...bound, ...fields });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child };
}

function compileEnv(deps: Deps): CompileEnv {
  const unused = (): never => {
    throw new InvariantError('a chain in a test has no next hop');
  };
  return {
    deps,
    restEndpoints: new Map(),
    senders: new Map(),
    hop: unused,
    children: { open: unused, adopt: unused, store: unused },
    resolvePath: (path) => path,
  };
}
