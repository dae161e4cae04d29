/** Matches when an earlier policy of the chain has matched, by its tag or by its name. */
import { z } from 'zod';
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

/** How a policy is called in `earlier.policies`. */
export function policyKey(kind: 'tag' | 'rule', name: string): string {
  return `${kind}:${name}`;
}

function keyOf(c: PolicyRef): string {
  return c.tag !== undefined ? policyKey('tag', c.tag) : policyKey('rule', c.rule ?? '');
}

export const policyAction = defineMatcher({
  name: 'policy_action',
  aliases: [policyOutcomeSignal.wireName],
  summary: 'An earlier policy matched.',
  config,
  reads: (c, earlier) => earlier.policies.get(keyOf(c)) ?? 'mail',
  create: (c, { earlier }) => {
    mustStandEarlier(c, earlier.policies);
    const isMeant = (verdict: PolicyVerdict): boolean =>
      c.tag !== undefined ? verdict.tag === c.tag : verdict.rule === c.rule;
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

function mustStandEarlier(c: PolicyRef, policies: ReadonlyMap<string, unknown>): void {
  const key = keyOf(c);
  if (policies.has(key)) return;
  const [kind, wanted] = c.tag !== undefined ? (['tag', c.tag] as const) : (['rule', c.rule ?? ''] as const);
  const prefix = policyKey(kind, '');
  const names = [...policies.keys()].filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length));
  const suggestion = nearestName(wanted, names);
  const message = `no policy with ${kind} '${wanted}' stands before this one in the chain`;
  throw new ConfigError([{ path: [kind], message, ...(suggestion !== undefined && { suggestion }) }]);
}
