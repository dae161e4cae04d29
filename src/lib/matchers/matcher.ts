/** What a matcher is: a question about one transaction, asked by a policy. It reads facts, and never decides what follows from them. */
import type { z } from 'zod';
import type { ChainEnv, Earlier, Phase, TxContext } from '../chain/filter.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { SignalType } from '../core/signal.ts';

/** `unmet`: a fact the answer needs does not exist. */
export type Verdict = 'match' | 'noMatch' | 'unmet';

/** The recipient a policy with `mode: PER_RCPT` is asking about. */
export interface RcptInHand {
  readonly to: Mailbox;
  /** Recipients before it that were not refused; what is not yet answered counts. */
  readonly acceptedBefore: number;
}

/** `rcpt` is present exactly when the policy asks about each recipient. */
export type Matcher = (tx: TxContext, rcpt: RcptInHand | undefined) => Verdict;

export interface MatcherDefinition<C = unknown> {
  readonly name: string;
  /** The class name of the filter whose facts it reads, as the configuration of the original spells it. */
  readonly aliases?: readonly string[];
  readonly summary: string;
  /** The options beside `matcher:`; strict, defaults filled in. */
  readonly config: z.ZodType<C>;
  /** The phase in which everything it reads exists. */
  readonly reads: Phase | ((config: C, earlier: Earlier) => Phase);
  /** It asks about a recipient, and needs a policy with `mode: PER_RCPT`. */
  readonly perRcpt?: boolean | ((config: C) => boolean);
  /** It does not look at `RcptInHand.acceptedBefore`; absent: it may. */
  readonly ignoresCount?: boolean;
  /** Facts that a filter earlier in the chain must produce. */
  readonly consumes?: readonly SignalType<never>[] | ((config: C) => readonly SignalType<never>[]);
  /** Why it can never match with these options where it stands; absent: it can. */
  readonly impossible?: (config: C, at: MatcherPlace) => string | undefined;
  /**
   * What it says of a stranger: a client that has not authenticated, from no network that was listed, who asks for a recipient in somebody
   * else's domain; absent: that depends. The check for open relays relies on it.
   */
  readonly ofStranger?: (config: C) => 'yes' | 'no' | 'perhaps';
  /** Called once a chain; throws `ConfigError` with paths relative to the matcher. */
  readonly create: (config: C, env: MatcherEnv) => Matcher;
}

/** Where the policy of a matcher stands. */
export interface MatcherPlace {
  readonly earlier: Earlier;
  /** The policy has `mode: PER_RCPT`. */
  readonly perRcpt: boolean;
}

/** What a matcher may use of the chain its policy stands in. */
export type MatcherEnv = Pick<ChainEnv, 'deps' | 'sender' | 'resolvePath' | 'earlier'>;

/** Gives a matcher its types; the registry holds it with its configuration type erased. */
export function defineMatcher<C>(definition: MatcherDefinition<C>): MatcherDefinition {
  return definition as unknown as MatcherDefinition;
}

export function verdictOf(holds: boolean): Verdict {
  return holds ? 'match' : 'noMatch';
}
