/** Runs filters of the registry in a real, compiled chain over an output that records what reaches it and answers as it was told. */
import { z } from 'zod';
import type { ChildOpener } from '../../src/lib/chain/child.ts';
import { type CompileEnv, compileChain } from '../../src/lib/chain/compile.ts';
import { defineOutput, type FilterDefinition, type TxContext } from '../../src/lib/chain/filter.ts';
import { registry } from '../../src/lib/chain/registry.ts';
import { stepRegistry } from '../../src/lib/chain/step-registry.ts';
import type { RestEndpointConfig } from '../../src/lib/config/router-config.ts';
import { ConfigError, type ConfigMistake } from '../../src/lib/config/source.ts';
import { bodyBytes, memoryBody } from '../../src/lib/core/body.ts';
import type { Deps } from '../../src/lib/core/deps.ts';
import type { Origin } from '../../src/lib/core/envelope.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import { type Mailbox, mailbox } from '../../src/lib/core/mailbox.ts';
import { formatResponse, type Response, reply } from '../../src/lib/core/response.ts';
import { DEFAULT_RETRY } from '../../src/lib/core/retry.ts';
import { filters } from '../../src/lib/filters/index.ts';
import { fakeDeps } from './fake-deps.ts';

/** A step as in YAML. */
export type StepYaml = { readonly filter: string } & Readonly<Record<string, unknown>>;

/** What the next hop says; 250 to everything by default. An address answers for its recipient. */
export interface OutputReplies {
  readonly mail?: Response;
  readonly rcpt?: Readonly<Record<string, Response>>;
  readonly data?: Response;
}

export interface ChainAsk {
  readonly steps: readonly StepYaml[];
  readonly origin?: Origin;
  readonly replies?: OutputReplies;
  readonly deps?: Partial<Deps>;
  readonly restEndpoints?: readonly RestEndpointConfig[];
  /** The other senders of the router. */
  readonly senders?: CompileEnv['senders'];
  readonly children?: ChildOpener;
  /** Filters beside those of the registry. */
  readonly extraFilters?: readonly FilterDefinition[];
}

/** What reached the output. */
export interface Reached {
  readonly mail: Mailbox[];
  readonly rcpt: Mailbox[];
  readonly data: Buffer[];
}

export interface OpenedChain {
  readonly reached: Reached;
  /** As the output sees it. */
  readonly tx: TxContext;
  readonly exchange: Exchange;
  /** The latest signals in their wire form. */
  readonly published: Readonly<Record<string, unknown>>;
  mail(address: string, ...params: Mailbox['params']): Promise<string>;
  rcpt(address: string): Promise<string>;
  data(message?: string | Buffer): Promise<string>;
}

const ok = reply(250, '2.0.0', 'ok');

/** Compiles the steps, once; each call of the result opens one transaction. Throws `ConfigError`. */
export function chainOf(ask: ChainAsk): () => OpenedChain {
  let latest: { tx: TxContext; reached: Reached } | undefined;
  const recording = defineOutput({
    name: 'recording',
    summary: 'records',
    incremental: false,
    config: z.strictObject({}),
    create: () => (tx) => {
      const reached: Reached = { mail: [], rcpt: [], data: [] };
      latest = { tx, reached };
      return recordingExchange(reached, ask.replies ?? {});
    },
  });
  const steps = [...ask.steps, { filter: 'recording' }].map(({ filter, ...options }, i) => ({
    filter,
    options,
    path: ['chain', i],
  }));
  const outputHandler = { downstreamTimeoutMs: 60_000, upstreamRefreshMs: 30_000, retryParams: DEFAULT_RETRY };
  const deps = fakeDeps(ask.deps);
  const compiled = compileChain(
    { name: 'test', outputHandler, steps, path: [] },
    { name: 'sender', outputChain: 'test', retry: false, notification: false, upstreamSender: 'up' },
    compileEnv(deps, ask),
    stepRegistry([...filters, ...(ask.extraFilters ?? []), recording], registry.vocabulary),
  );
  return () => {
    const published: Record<string, unknown> = {};
    const onSignal = (wireName: string, json: unknown): void => {
      published[wireName] = json;
    };
    const exchange = compiled.open({ id: 'tx1', origin: ask.origin ?? {}, log: deps.log, onSignal });
    if (latest === undefined) throw new Error('the chain did not open its output');
    return {
      ...latest,
      exchange,
      published,
      mail: async (address, ...params) => formatResponse(await exchange.mail(mailbox(address, params))),
      rcpt: async (address) => formatResponse(await exchange.rcpt(mailbox(address))),
      data: async (message = 'subject: x\r\n\r\nhello\r\n') =>
        formatResponse(await exchange.data(memoryBody(Buffer.from(message)))),
    };
  };
}

/** Opens one transaction of a chain. */
export function openChain(ask: ChainAsk): OpenedChain {
  return chainOf(ask)();
}

/** What is refused at load; empty when nothing is. Paths begin at the chain. */
export function mistakesOf(ask: ChainAsk): readonly ConfigMistake[] {
  try {
    chainOf(ask);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
}

function recordingExchange(reached: Reached, replies: OutputReplies): Exchange {
  return {
    mail: async (from) => {
      reached.mail.push(from);
      return replies.mail ?? ok;
    },
    rcpt: async (to) => {
      reached.rcpt.push(to);
      return replies.rcpt?.[to.address] ?? ok;
    },
    data: async (body) => {
      reached.data.push(await bodyBytes(body));
      return replies.data ?? ok;
    },
    close: () => Promise.resolve(),
  };
}

function compileEnv(deps: Deps, ask: ChainAsk): CompileEnv {
  const unused = (): never => {
    throw new Error('not part of this test');
  };
  return {
    deps,
    restEndpoints: new Map((ask.restEndpoints ?? []).map((endpoint) => [endpoint.name, endpoint])),
    hop: unused,
    senders: ask.senders ?? new Map(),
    children: ask.children ?? { open: unused, adopt: unused, store: unused },
    resolvePath: (path) => path,
  };
}
