/** Matches when one of the message’s DKIM signatures is as asked: its status, and whose it is. */
import { z } from 'zod';
import { type DkimAlignment, dkimSignal } from '../core/signals/dkim.ts';
import { asciiDomain } from '../message/ascii-domain.ts';
import { defineMatcher, verdictOf } from './matcher.ts';

const config = z
  .strictObject({
    status: z
      .enum(['pass', 'dkim_pass', 'fail', 'temp_err', 'unknown_algo'])
      .transform((name) => (name === 'pass' ? 'dkim_pass' : name))
      .default('dkim_pass')
      .describe('Of the signature.'),
    alignment: z
      .enum(['domain', 'same_sld', 'other'])
      .optional()
      .describe(
        'How close the signing domain is to that of the From address, at least: the same; registered together (default); any.',
      ),
    domains: z
      .array(
        z
          .string()
          .refine((text) => asciiDomain(text) !== undefined, { error: 'expected a domain' })
          .transform((text) => asciiDomain(text) ?? text),
      )
      .min(1)
      .optional()
      .describe('The signing domain is one of these; instead of alignment.'),
  })
  .refine((c) => c.domains === undefined || c.alignment === undefined, {
    error: 'has either alignment or domains, not both',
  });

const DISTANCE = { domain: 0, same_sld: 1, other: 2 } as const satisfies Record<DkimAlignment, number>;

export const dkimCheck = defineMatcher<z.output<typeof config>>({
  name: 'dkim_check',
  aliases: [dkimSignal.wireName],
  summary: 'One of the DKIM signatures has this status and is by the author’s domain, or by one of these domains.',
  config,
  reads: 'data',
  consumes: [dkimSignal],
  create: ({ status, alignment = 'same_sld', domains }) => {
    return (tx) => {
      const found = tx.signals.get(dkimSignal);
      if (found === undefined) return 'unmet';
      const isMeant = (domain: string, how: DkimAlignment): boolean =>
        domains === undefined ? DISTANCE[how] <= DISTANCE[alignment] : domains.includes(domain);
      return verdictOf(found.signatures.some((each) => each.status === status && isMeant(each.domain, each.alignment)));
    };
  },
});
