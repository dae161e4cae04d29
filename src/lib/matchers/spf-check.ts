/** Matches on the SPF result of the sender’s domain, or of a domain in the configuration of `spf_check`. */
import { z } from 'zod';
import type { Earlier } from '../chain/filter.ts';
import { ConfigError } from '../config/source.ts';
import { nearestName } from '../core/nearest-name.ts';
import { type SpfResult, spfSignal } from '../core/signals/spf.ts';
import { asciiDomain } from '../message/ascii-domain.ts';
import { defineMatcher, verdictOf } from './matcher.ts';

const RESULTS = ['pass', 'fail', 'softfail', 'neutral', 'none', 'temperror', 'permerror'] as const;
/** As the original spells them. */
const WITH_PREFIX = RESULTS.map((result): `spf_${SpfResult}` => `spf_${result}`);

const result = z
  .enum([...RESULTS, ...WITH_PREFIX])
  .transform((name) => name.replace(/^spf_/, '') as SpfResult)
  .optional();

const config = z
  .strictObject({
    mail_from_result: result.describe('Of the domain of the sender.'),
    extra_domain: z.string().min(1).optional().describe('A domain in extra_domains of the filter.'),
    extra_domain_result: result.describe('Of that domain.'),
  })
  .refine((c) => c.mail_from_result !== undefined || c.extra_domain !== undefined, {
    error: 'expected mail_from_result, or extra_domain with extra_domain_result',
  })
  .refine((c) => (c.extra_domain === undefined) === (c.extra_domain_result === undefined), {
    error: 'extra_domain and extra_domain_result belong together',
  });

export const spfCheck = defineMatcher<z.output<typeof config>>({
  name: 'spf_check',
  aliases: [spfSignal.wireName],
  summary: 'The SPF result of the sender’s domain, or of another domain.',
  config,
  reads: 'mail',
  consumes: [spfSignal],
  create: (c, { earlier }) => {
    const extraDomain = c.extra_domain === undefined ? undefined : (asciiDomain(c.extra_domain) ?? c.extra_domain);
    if (extraDomain !== undefined) mustBeChecked(extraDomain, earlier);
    return (tx) => {
      const found = tx.signals.get(spfSignal);
      if (found === undefined) return 'unmet';
      if (c.mail_from_result !== undefined && c.mail_from_result !== found.mailFromResult) return 'noMatch';
      if (extraDomain === undefined) return 'match';
      const extra = found.extraDomainResults.get(extraDomain);
      return extra === undefined ? 'unmet' : verdictOf(extra === c.extra_domain_result);
    };
  },
});

function mustBeChecked(domain: string, { subjects }: Earlier): void {
  const checked = subjects?.get(spfSignal);
  if (checked === undefined || checked.has(domain)) return;
  const suggestion = nearestName(domain, [...checked]);
  const message = `the filter spf_check before this policy does not have '${domain}' among its extra_domains`;
  throw new ConfigError([{ path: ['extra_domain'], message, ...(suggestion !== undefined && { suggestion }) }]);
}
