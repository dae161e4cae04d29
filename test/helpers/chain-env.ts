/** Opens one output by itself, with its options as YAML would give them. */
import { ChainTx } from '../../src/lib/chain/chain-tx.ts';
import type { ChildOpener } from '../../src/lib/chain/child.ts';
import type { ChainEnv, OutputDefinition } from '../../src/lib/chain/filter.ts';
import { fold } from '../../src/lib/chain/fold.ts';
import type { Deps } from '../../src/lib/core/deps.ts';
import type { Origin } from '../../src/lib/core/envelope.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import type { HopResolver } from '../../src/lib/core/hop.ts';
import { FakeChildren } from './fake-children.ts';
import { fakeDeps } from './fake-deps.ts';
import { HopSequence } from './fake-exchange.ts';

export interface OpenOutputAsk {
  readonly options?: Readonly<Record<string, unknown>>;
  readonly deps?: Deps;
  readonly hop?: HopResolver;
  readonly children?: ChildOpener;
  readonly senders?: ChainEnv['senders'];
  readonly resolvePath?: ChainEnv['resolvePath'];
  readonly origin?: Origin;
}

/** The exchange, tracked as in a compiled chain, and the transaction it is for. */
export function openOutput(definition: OutputDefinition, ask: OpenOutputAsk = {}): { exchange: Exchange; tx: ChainTx } {
  const deps = ask.deps ?? fakeDeps();
  const env: ChainEnv = {
    deps,
    sender: { name: 'submission' },
    upstreamSender: 'outbound',
    upstreamTag: 'bulk',
    restEndpoints: new Map(),
    senders: ask.senders ?? new Map(),
    hop: ask.hop ?? (() => new HopSequence({})),
    children: ask.children ?? new FakeChildren(),
    resolvePath: ask.resolvePath ?? ((path) => path),
    vocabulary: { matchers: [], routingPolicies: [] },
    earlier: { signals: new Set(), policies: [] },
  };
  const options = definition.config.parse(ask.options ?? {});
  const tx = new ChainTx(env.sender, { id: 't1', origin: ask.origin ?? {}, log: deps.log });
  return { exchange: fold([], tx, definition.create(options, env)(tx)), tx };
}
