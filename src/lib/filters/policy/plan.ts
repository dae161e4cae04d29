/** Works out when a policy can be judged: the earliest phase in which everything it reads exists, and whether it reads anything it cannot. */
import type { ChainEnv, Earlier, Phase } from '../../chain/filter.ts';
import type { ConfigMistake } from '../../config/source.ts';
import { policyKey } from '../../matchers/policy-action.ts';
import { asksPerRcpt, type Leaf, leavesOf, type MatchNode, phaseOf, readMatch } from './match.ts';

export interface PlanAsk {
  readonly tag: string;
  readonly rule: string;
  readonly match: unknown;
  readonly perRcpt: boolean;
}

export interface PolicyPlan {
  readonly phase: Phase;
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
  const needed = leaves.map((leaf) => phaseOf(leaf, earlier));
  if (ask.perRcpt) return { phase: 'rcpt', node, mistakes };
  // Rules of one tag are alternatives in the order they are written: one of them cannot be judged before those above it.
  const sameTag = earlier.policies.get(policyKey('tag', ask.tag)) ?? 'mail';
  return { phase: [...needed, sameTag].reduce(later), node, mistakes };
}

/** The names of this policy for later ones, and the latest phase in which a policy of that name is decided. */
export function policyNames(ask: PlanAsk, env: PlanEnv): ReadonlyMap<string, Phase> {
  const { earlier } = env;
  const { phase } = planPolicy(ask, env);
  const keys = [policyKey('tag', ask.tag), policyKey('rule', ask.rule)];
  return new Map(keys.map((key) => [key, later(phase, earlier.policies.get(key) ?? 'mail')]));
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

const ORDER: readonly Phase[] = ['mail', 'rcpt', 'data'];

function later(a: Phase, b: Phase): Phase {
  return ORDER.indexOf(a) >= ORDER.indexOf(b) ? a : b;
}
