/** Matches on what DNS said about the sender's domain, the recipient's domain, or the hosts of the route. */
import { z } from 'zod';
import type { Phase } from '../chain/filter.ts';
import { type DnsResult, dnsResolutionSignal } from '../core/signals/dns-resolution.ts';
import { defineMatcher, type Verdict } from './matcher.ts';

const result = z.enum(['OK', 'NX', 'TEMP']).optional();

const config = z
  .strictObject({
    mail_result: result.describe('Of the domain of the sender.'),
    rcpt_result: result.describe('Of the domain of the recipient; needs `mode: PER_RCPT`.'),
    resolution_result: result.describe('Of the hosts the recipient is routed to.'),
  })
  .refine((c) => Object.values(c).some((wanted) => wanted !== undefined), {
    error: 'expected one of mail_result, rcpt_result, resolution_result',
  });

export const dnsResolution = defineMatcher({
  name: 'dns_resolution',
  aliases: [dnsResolutionSignal.wireName],
  summary: 'What DNS said of the sender’s domain, the recipient’s domain or the next hop.',
  config,
  reads: (c): Phase => (c.rcpt_result === undefined && c.resolution_result === undefined ? 'mail' : 'rcpt'),
  perRcpt: (c) => c.rcpt_result !== undefined,
  consumes: [dnsResolutionSignal],
  create: (c) => (tx, rcpt) => {
    const found = tx.signals.get(dnsResolutionSignal);
    const rcptResult = found?.rcptResults.findLast(({ to }) => to.address === rcpt?.to.address)?.result;
    const verdicts = [
      compare(c.mail_result, found?.mailResult),
      compare(c.rcpt_result, rcptResult),
      compare(c.resolution_result, found?.resolutionResult),
    ];
    return verdicts.find((verdict) => verdict !== 'match') ?? 'match';
  },
});

/** What is not asked for matches anything. */
function compare(wanted: DnsResult | undefined, actual: DnsResult | undefined): Verdict {
  if (wanted === undefined) return 'match';
  if (actual === undefined) return 'unmet';
  return actual === wanted ? 'match' : 'noMatch';
}
