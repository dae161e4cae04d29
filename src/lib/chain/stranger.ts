/**
 * What a policy says of a stranger: a client of the SMTP port that has not authenticated, whose address is in no network anybody listed, and
 * that asks for a recipient in somebody else's domain. Three values, because most facts cannot be known when a configuration is loaded; and
 * because a fact that is missing (`unmet`) ends the search of `any` and `all`, what stands behind a `perhaps` is not relied on.
 */
import type { MatchNode } from '../filters/policy/match.ts';

export type Certainty = 'yes' | 'no' | 'perhaps';

/** What the configuration of a sender makes of a stranger (`smtp_meta`, `remote_host`): it replaces what the connection said. */
export interface StrangerFacts {
  readonly isAuthenticated: boolean;
  readonly hasOtherAddress: boolean;
}

/** A policy of the same chain that stands before. */
export interface EarlierPolicy {
  readonly tag: string;
  readonly rule: string;
  readonly perRcpt: boolean;
  readonly matches: Certainty;
  /** When it matches, policies of the same tag are not asked any more. */
  readonly settles: boolean;
}

export function ofStranger(node: MatchNode, facts: StrangerFacts, earlier: readonly EarlierPolicy[]): Certainty {
  switch (node.kind) {
    case 'not': {
      const inner = ofStranger(node.inner, facts, earlier);
      return inner === 'perhaps' ? inner : inner === 'yes' ? 'no' : 'yes';
    }
    case 'any':
      return firstCertain(node.each, 'no', facts, earlier);
    case 'all':
      return firstCertain(node.each, 'yes', facts, earlier);
    case 'leaf':
      return ofLeaf(node, facts, earlier);
  }
}

/** The first that is not `neutral` decides. */
function firstCertain(
  each: readonly MatchNode[],
  neutral: Certainty,
  facts: StrangerFacts,
  earlier: readonly EarlierPolicy[],
): Certainty {
  for (const node of each) {
    const certainty = ofStranger(node, facts, earlier);
    if (certainty !== neutral) return certainty;
  }
  return neutral;
}

function ofLeaf(
  { definition, config }: Extract<MatchNode, { kind: 'leaf' }>,
  facts: StrangerFacts,
  earlier: readonly EarlierPolicy[],
): Certainty {
  if (definition.name === 'smtp_auth' && facts.isAuthenticated) return 'yes';
  if (definition.name === 'network_address' && facts.hasOtherAddress) return 'perhaps';
  if (definition.name === 'policy_action') return ofPolicies(config as { tag?: string; rule?: string }, earlier);
  return definition.ofStranger?.(config) ?? 'perhaps';
}

/** What is asked for has certainly not matched when none of the policies that are meant can have. */
function ofPolicies(meant: { tag?: string; rule?: string }, earlier: readonly EarlierPolicy[]): Certainty {
  const about = earlier.filter(({ tag, rule }) => (meant.tag === undefined ? rule === meant.rule : tag === meant.tag));
  return about.every(({ matches }) => matches === 'no') ? 'no' : 'perhaps';
}
