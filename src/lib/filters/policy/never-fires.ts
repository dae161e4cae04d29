/**
 * Finds policies that can never do anything: somebody above always settles the matter first, nothing gets past what stands above, or what they
 * match contradicts itself. Such a rule is a mistake whoever wrote it has not noticed, so it is one at load.
 */
import { type Earlier, type EarlierPolicy, laterPhase } from '../../chain/filter.ts';
import type { ConfigMistake, ConfigPath } from '../../config/source.ts';
import type { MatchNode } from './match.ts';

export interface PolicyInPlace extends EarlierPolicy {
  readonly node: MatchNode | undefined;
}

/** Paths are relative to the step. */
export function neverFires(policy: PolicyInPlace, earlier: Earlier): readonly ConfigMistake[] {
  const wall = earlier.policies.find(
    (each, i) => stopsAll(each, earlier.policies.slice(0, i)) && !isDecidedBefore(policy, each),
  );
  if (wall !== undefined) {
    return [
      { path: [], key: 'filter', message: `this rule can never fire: '${wall.rule}' above it rejects everything` },
    ];
  }
  const first = earlier.policies.find((each) => settlesBefore(each, policy));
  if (first !== undefined) {
    const message = `this rule can never fire: '${first.rule}' above it has the same tag and settles it first`;
    return [{ path: ['tag'], message }];
  }
  const { chance, path, why } = policy.node === undefined ? SURE : chanceOf(policy.node, ['match'], policy, earlier);
  return chance === 'never' ? [{ path, message: `this rule can never fire: ${why}` }] : [];
}

/** Whatever comes is rejected, by the transaction or recipient by recipient; unless another of its tag can settle the matter before it. */
function stopsAll({ tag, match, actions }: EarlierPolicy, above: readonly EarlierPolicy[]): boolean {
  const isFirst = above.every((each) => each.tag !== tag);
  return isFirst && match === undefined && actions.size === 1 && actions.has('REJECT');
}

function isDecidedBefore(policy: EarlierPolicy, other: EarlierPolicy): boolean {
  return policy.phase !== other.phase && laterPhase(policy.phase, other.phase) === other.phase;
}

/** The same question of the same tag, or any question at all, and always an answer that settles the tag. */
function settlesBefore(above: EarlierPolicy, policy: EarlierPolicy): boolean {
  const covers = above.match === undefined || above.match === policy.match;
  return above.tag === policy.tag && above.perRcpt === policy.perRcpt && covers && !above.actions.has('LOG');
}

interface Chance {
  readonly chance: 'never' | 'always' | 'maybe';
  /** Where, and for what reason, when it is `never`. */
  readonly path: ConfigPath;
  readonly why: string;
}

const SURE: Chance = { chance: 'always', path: [], why: '' };
const OPEN: Chance = { chance: 'maybe', path: [], why: '' };

function chanceOf(node: MatchNode, path: ConfigPath, policy: EarlierPolicy, earlier: Earlier): Chance {
  switch (node.kind) {
    case 'leaf': {
      const why = node.definition.impossible?.(node.config, { earlier, perRcpt: policy.perRcpt });
      return why === undefined ? OPEN : { chance: 'never', path: node.path, why };
    }
    case 'not': {
      const inner = chanceOf(node.inner, [...path, 'not'], policy, earlier);
      if (inner.chance === 'never') return SURE;
      return inner.chance === 'always' ? { chance: 'never', path, why: 'what stands below `not` always holds' } : OPEN;
    }
    case 'any':
    case 'all':
      return chanceOfList(node, path, policy, earlier);
  }
}

type ListNode = Extract<MatchNode, { readonly kind: 'any' | 'all' }>;

function chanceOfList({ kind, each }: ListNode, path: ConfigPath, policy: EarlierPolicy, earlier: Earlier): Chance {
  const chances = each.map((node, i) => chanceOf(node, [...path, kind, i], policy, earlier));
  const never = chances.find(({ chance }) => chance === 'never');
  if (kind === 'any') {
    if (never !== undefined && chances.every(({ chance }) => chance === 'never')) return never;
    return chances.some(({ chance }) => chance === 'always') ? SURE : OPEN;
  }
  if (never !== undefined) return never;
  const texts = new Set(each.map(textOf));
  const opposite = each.findIndex((node) => node.kind === 'not' && texts.has(textOf(node.inner)));
  if (opposite !== -1) {
    return {
      chance: 'never',
      path: [...path, kind, opposite],
      why: 'this is the opposite of another condition of the list',
    };
  }
  return chances.every(({ chance }) => chance === 'always') ? SURE : OPEN;
}

/** Equal for what asks the same. */
function textOf(node: MatchNode): string {
  switch (node.kind) {
    case 'leaf':
      return JSON.stringify([node.definition.name, node.config]);
    case 'not':
      return `not ${textOf(node.inner)}`;
    default:
      return `${node.kind} ${node.each.map(textOf).join(' ')}`;
  }
}
