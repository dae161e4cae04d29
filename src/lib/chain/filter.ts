/**
 * What a step of a chain is. A filter sees the phases it cares about; `next` is the rest of the chain and its reply comes back. It passes a
 * value on (the same or a new one), or answers by itself; it never changes its argument. A chain ends in exactly one output.
 */
import type { z } from 'zod';
import type { RestEndpointConfig, SenderFamily } from '../config/router-config.ts';
import type { ConfigMistake, ConfigPath } from '../config/source.ts';
import type { Body } from '../core/body.ts';
import type { Deps, Log } from '../core/deps.ts';
import type { HostPort, Origin } from '../core/envelope.ts';
import type { Exchange } from '../core/exchange.ts';
import type { HopResolver } from '../core/hop.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { ParsedMessage } from '../core/parsed-message.ts';
import type { Response } from '../core/response.ts';
import type { Route } from '../core/route.ts';
import type { Signals, SignalType } from '../core/signal.ts';
import type { PolicyAction } from '../core/signals/policy-outcome.ts';
import type { RoutingPolicyDefinition } from '../filters/routing/policy.ts';
import type { MatcherDefinition } from '../matchers/matcher.ts';
import type { ChildOpener } from './child.ts';

export type Phase = 'mail' | 'rcpt' | 'data';

const PHASES: readonly Phase[] = ['mail', 'rcpt', 'data'];

export function laterPhase(a: Phase, b: Phase): Phase {
  return PHASES.indexOf(a) >= PHASES.indexOf(b) ? a : b;
}

/** One transaction as its filters see it: what is known of it, and what routing filters have decided so far. */
export interface TxContext extends Origin {
  readonly id: string;
  readonly sender: { readonly name: string; readonly tag?: string };
  readonly signals: Signals;
  /** Aborts when the exchange is closed: every wait of a filter listens to it. */
  readonly signal: AbortSignal;
  /** Carries the transaction id on every line. */
  readonly log: Log;
  /** What was asked of the chain so far, as it came from downstream. */
  readonly mailFrom: Mailbox | undefined;
  readonly rcptTo: readonly Mailbox[];
  /** The replies the chain has given so far, index-aligned with `rcptTo`. */
  readonly rcptReplies: readonly (Response | undefined)[];
  /** Set by a routing filter at RCPT; all recipients of one transaction must agree. */
  route: Route | undefined;
  /** The recipients that a routing filter has taken: those after it let them pass. */
  readonly routed: readonly Mailbox[];
  markRouted(to: Mailbox): void;
  /** The route's hosts after resolution; when unset, the output uses the route's hosts as they are. */
  resolution: readonly HostPort[] | undefined;
  /** An output says which host it offers the message to: called for each that is tried, in order. */
  readonly offering?: (host: HostPort) => void;
  /** The message is there already, and it has one recipient. */
  readonly isWhole?: boolean | undefined;
  /** Set by `message_parser`: an output whose hop wants it sends it along with the body. */
  parsed: ParsedMessage | undefined;
}

export type Next<T> = (value: T) => Promise<Response>;

export interface Filter {
  mail?(tx: TxContext, from: Mailbox, next: Next<Mailbox>): Promise<Response>;
  rcpt?(tx: TxContext, to: Mailbox, next: Next<Mailbox>): Promise<Response>;
  data?(tx: TxContext, body: Body, next: Next<Body>): Promise<Response>;
}

/** Where the chain being built stands, and what its steps may use. */
export interface ChainEnv {
  readonly deps: Deps;
  readonly sender: { readonly name: string; readonly tag?: string };
  /** What `exploder` and `add_route` fall back to (configuration: `upstream_sender`, `upstream_tag`). */
  readonly upstreamSender: string;
  readonly upstreamTag: string | undefined;
  readonly restEndpoints: ReadonlyMap<string, RestEndpointConfig>;
  /** All senders of this router, by name. */
  readonly senders: ReadonlyMap<string, SenderFamily>;
  readonly hop: HopResolver;
  readonly children: ChildOpener;
  /** Turns a path in the configuration into one that can be opened: relative paths are relative to the configuration file. */
  readonly resolvePath: (path: string) => string;
  readonly vocabulary: Vocabulary;
  readonly earlier: Earlier;
  /** Where this step is written, `router.yaml:12`: for logs and for the history of a transaction. */
  readonly place?: string;
}

/** What the options of a step may name beside steps: what the program ships, and what plugins add to it. */
export interface Vocabulary {
  readonly matchers: readonly MatcherDefinition[];
  readonly routingPolicies: readonly RoutingPolicyDefinition[];
}

/** A policy as far as the steps after it depend on it. */
export interface EarlierPolicy {
  readonly tag: string;
  readonly rule: string;
  /** When it is decided, for the transaction or, `perRcpt`, for each recipient. */
  readonly phase: Phase;
  readonly perRcpt: boolean;
  /** What may come of it when it matches. */
  readonly actions: ReadonlySet<PolicyAction>;
  /** What it matches, as text to compare; absent: everything. */
  readonly match?: string;
}

/** What stands before a step in the same chain. */
export interface Earlier {
  readonly signals: ReadonlySet<SignalType<never>>;
  /** Of the signals that tell about things named in the options of their filters: which things (`FilterDefinition.subjects`). */
  readonly subjects?: ReadonlyMap<SignalType<never>, ReadonlySet<string>>;
  /** In the order of the chain. */
  readonly policies: readonly EarlierPolicy[];
}

/** A sender of this router, or one of its tags, whose chain a step sends transactions through. */
export interface SenderRef {
  readonly sender: string;
  readonly tag: string | undefined;
}

export interface NeededStep {
  readonly step: string;
  /** Of the option that asks for it, in the step. */
  readonly path: ConfigPath;
  readonly why: string;
}

interface StepDefinition<C> {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** One sentence for `koukan filters` and the documentation. */
  readonly summary: string;
  /** The options of the step in YAML, without `filter:`; strict, with all defaults filled in. */
  readonly config: z.ZodType<C>;
  /** Another step its chain must have, before it or after: without it what the options ask for would not happen. */
  readonly needs?: (config: C, env: Pick<ChainEnv, 'restEndpoints'>) => NeededStep | undefined;
  /** What is wrong with the files its options name: said when the configuration is checked, together with all other mistakes. */
  readonly checkFiles?: (config: C, resolvePath: ChainEnv['resolvePath']) => readonly ConfigMistake[];
  /** Where it sends transactions within this router: a chain that leads back to itself would never end. */
  readonly leadsTo?: (config: C) => SenderRef;
}

/** A filter of the registry. `create` is called once a chain (it may throw `ConfigError`), its result once a transaction. */
export interface FilterDefinition<C = unknown> extends StepDefinition<C> {
  readonly kind: 'filter';
  readonly produces?: readonly SignalType<never>[];
  /** What its options name for `produces` to tell about: a matcher that asks about anything else can never match. */
  readonly subjects?: (config: C) => readonly string[];
  /** The policy it is to the steps after it. */
  readonly policy?: (config: C, env: Pick<ChainEnv, 'earlier' | 'vocabulary'>) => EarlierPolicy;
  readonly create: (config: C, env: ChainEnv) => () => Filter;
}

/** An output of the registry: `create` is called once a chain, its result once a transaction. */
export interface OutputDefinition<C = unknown> extends StepDefinition<C> {
  readonly kind: 'output';
  /**
   * The chain takes recipients one by one and any number of them (the exploder), and sends each through the chain of `upstreamSender`;
   * others take one complete envelope.
   */
  readonly incremental: boolean;
  readonly create: (config: C, env: ChainEnv) => (tx: TxContext) => Exchange;
}

export type Step = FilterDefinition | OutputDefinition;

/** Gives a filter its types; the registry holds it with its configuration type erased. */
export function defineFilter<C>(definition: Omit<FilterDefinition<C>, 'kind'>): FilterDefinition {
  return { kind: 'filter', ...definition } as unknown as FilterDefinition;
}

export function defineOutput<C>(definition: Omit<OutputDefinition<C>, 'kind'>): OutputDefinition {
  return { kind: 'output', ...definition } as unknown as OutputDefinition;
}
