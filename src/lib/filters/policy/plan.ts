/** Works out when a policy can be judged: the earliest phase in which everything it reads exists, and whether it reads anything it cannot. */
import { type ChainEnv, type Earlier, type EarlierPolicy, laterPhase } from '../../chain/filter.ts';
import type { ConfigMistake } from '../../config/source.ts';
import type { PolicyAction } from '../../core/signals/policy-outcome.ts';
import { asksPerRcpt, type Leaf, leavesOf, type MatchNode, phaseOf, readMatch } from './match.ts';
import { neverFires } from './never-fires.ts';

export interface PlanAsk {
  readonly tag: string;
  readonly rule: string;
  readonly match: unknown;
  readonly perRcpt: boolean;
  /** What may come of it. */
  readonly actions: ReadonlySet<PolicyAction>;
}

export interface PolicyPlan {
  /** When it is decided. */
  readonly phase: EarlierPolicy['phase'];
  /** Absent: always matches. */
  readonly node: MatchNode | undefined;
  /** Paths are relative to the step. */
  readonly mistakes: readonly ConfigMistake[];
}

type PlanEnv = Pick<ChainEnv, 'earlier' | 'vocabulary'>;

export function planPolicy(ask: PlanAsk, { earlier, vocabulary }: PlanEnv): PolicyPlan {
  const mistakes: ConfigMistake[] = [];
  const node = ask.match === undefined ? undefined : readMatch(ask.match, ['match'], vocabulary.matchers, mistakes);
  const leaves = node === undefined ? [] : leavesOf(node);
  mistakes.push(...leaves.flatMap((leaf) => misplaced(leaf, ask, earlier)));
  const phase = ask.perRcpt ? 'rcpt' : phaseOfTransaction(ask, leaves, earlier);
  const isRight = mistakes.length === 0;
  if (isRight) mistakes.push(...neverFires({ ...asEarlier(ask, phase), node }, earlier));
  return { phase, node, mistakes };
}

function phaseOfTransaction(ask: PlanAsk, leaves: readonly Leaf[], earlier: Earlier): EarlierPolicy['phase'] {
  // Rules of one tag are alternatives in the order they are written: one of them cannot be judged before those above it.
  const sameTag = earlier.policies.filter(({ tag }) => tag === ask.tag).map((policy) => policy.phase);
  return [...leaves.map((leaf) => phaseOf(leaf, earlier)), ...sameTag].reduce(laterPhase, 'mail');
}

/** This policy as the steps after it see it. */
export function policyFor(ask: PlanAsk, env: PlanEnv): EarlierPolicy {
  return asEarlier(ask, planPolicy(ask, env).phase);
}

function asEarlier({ tag, rule, perRcpt, actions, match }: PlanAsk, phase: EarlierPolicy['phase']): EarlierPolicy {
  return { tag, rule, perRcpt, actions, phase, ...(match !== undefined && { match: JSON.stringify(match) }) };
}

function misplaced(leaf: Leaf, ask: PlanAsk, earlier: Earlier): ConfigMistake[] {
  const { name, consumes = [] } = leaf.definition;
  const path = [...leaf.path, 'matcher'];
  const read = typeof consumes === 'function' ? consumes(leaf.config) : consumes;
  const missing = read.filter((signal) => !earlier.signals.has(signal));
  const mistakes = missing.map((signal) => ({
    path,
    message: `the matcher ${name} reads what the filter ${signal.name} finds out; put that filter before this policy`,
  }));
  if (asksPerRcpt(leaf) && !ask.perRcpt) {
    mistakes.push({
      path,
      message: `the matcher ${name} asks about a recipient: add \`mode: PER_RCPT\` to the policy`,
    });
  }
  if (ask.perRcpt && phaseOf(leaf, earlier) === 'data') {
    mistakes.push({
      path,
      message: `the matcher ${name} needs the message, and recipients are judged before it comes`,
    });
  }
  return mistakes;
}
