/** Matches when an earlier policy of the chain has matched, by its tag or by its name. */
import { z } from 'zod';
import { type EarlierPolicy, laterPhase, type Phase } from '../chain/filter.ts';
import { ConfigError } from '../config/source.ts';
import { nearestName } from '../core/nearest-name.ts';
import { type PolicyVerdict, policyOutcomeSignal, settlesTag } from '../core/signals/policy-outcome.ts';
import { defineMatcher } from './matcher.ts';

const config = z
  .strictObject({
    tag: z.string().min(1).optional().describe('Tag of an earlier policy whose action was MATCH or REJECT.'),
    rule: z.string().min(1).optional().describe('Name of an earlier policy.'),
  })
  .refine((c) => (c.tag === undefined) !== (c.rule === undefined), { error: 'expected either tag or rule' });

type PolicyRef = z.output<typeof config>;

/** The earlier policies that are meant. */
function meant(c: PolicyRef, policies: readonly EarlierPolicy[]): readonly EarlierPolicy[] {
  return policies.filter(({ tag, rule }) => (c.tag !== undefined ? tag === c.tag : rule === c.rule));
}

export const policyAction = defineMatcher({
  name: 'policy_action',
  aliases: [policyOutcomeSignal.wireName],
  summary: 'An earlier policy matched.',
  config,
  reads: (c, { policies }) => meant(c, policies).reduce<Phase>((phase, each) => laterPhase(phase, each.phase), 'mail'),
  impossible: (c, { earlier, perRcpt }) => {
    const found = meant(c, earlier.policies);
    if (found.length === 0 || found.some((policy) => isSeen(policy, c, perRcpt))) return undefined;
    return c.tag !== undefined && found.some(({ actions }) => actions.has('LOG'))
      ? `no policy with tag '${c.tag}' has the action MATCH, and LOG only logs`
      : 'what that policy matches it rejects, and nothing gets here';
  },
  create: (c, { earlier }) => {
    mustStandEarlier(c, earlier.policies);
    // At the second recipient there are verdicts of policies that stand behind this one, too.
    const known = new Set(meant(c, earlier.policies).map(nameOf));
    const isMeant = (verdict: PolicyVerdict): boolean => known.has(nameOf(verdict));
    return (tx, rcpt) => {
      const about = (verdict: PolicyVerdict): boolean =>
        isMeant(verdict) && (rcpt === undefined || verdict.rcpt === undefined || verdict.rcpt === rcpt.to);
      const verdicts = (tx.signals.get(policyOutcomeSignal) ?? []).filter(about);
      const hasMatched = (verdict: PolicyVerdict): boolean =>
        c.tag !== undefined ? settlesTag(verdict) : verdict.action !== 'UNMET';
      if (verdicts.some(hasMatched)) return 'match';
      return verdicts.some(({ action }) => action === 'UNMET') ? 'unmet' : 'noMatch';
    };
  },
});

function nameOf({ tag, rule }: Pick<EarlierPolicy, 'tag' | 'rule'>): string {
  return JSON.stringify([tag, rule]);
}

/** Whether somebody who stands later can see that it matched: what is rejected does not get there. */
function isSeen({ actions, perRcpt }: EarlierPolicy, c: PolicyRef, asksPerRcpt: boolean): boolean {
  if (actions.has('MATCH') || (c.rule !== undefined && actions.has('LOG'))) return true;
  return actions.has('REJECT') && perRcpt && !asksPerRcpt;
}

function mustStandEarlier(c: PolicyRef, policies: readonly EarlierPolicy[]): void {
  if (meant(c, policies).length > 0) return;
  const kind = c.tag !== undefined ? 'tag' : 'rule';
  const wanted = c[kind] ?? '';
  const suggestion = nearestName(wanted, [...new Set(policies.map((policy) => policy[kind]))]);
  const message = `no policy with ${kind} '${wanted}' stands before this one in the chain`;
  throw new ConfigError([{ path: [kind], message, ...(suggestion !== undefined && { suggestion }) }]);
}
