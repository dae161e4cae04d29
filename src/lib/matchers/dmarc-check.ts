/** Matches on the DMARC result of the message, and on what the author’s domain asks to be done with mail that fails. */
import { z } from 'zod';
import { dmarcSignal } from '../core/signals/dmarc.ts';
import { defineMatcher, verdictOf } from './matcher.ts';

const config = z
  .strictObject({
    result: z.enum(['pass', 'fail', 'none', 'temperror', 'permerror']).optional().describe('Of the message.'),
    policy: z
      .enum(['none', 'quarantine', 'reject'])
      .optional()
      .describe(
        'What the domain asks for when its mail fails; one step milder than it says while it is testing (`t=y`).',
      ),
    has_author: z
      .boolean()
      .optional()
      .describe('The From header names a domain; without one there is nobody whose policy could be asked for.'),
  })
  .refine((c) => Object.values(c).some((wanted) => wanted !== undefined), {
    error: 'expected one of result, policy, has_author',
  });

export const dmarcCheck = defineMatcher<z.output<typeof config>>({
  name: 'dmarc_check',
  aliases: [dmarcSignal.wireName],
  summary: 'The DMARC result of the message, and the policy of the author’s domain.',
  config,
  reads: 'data',
  consumes: [dmarcSignal],
  create: (c) => (tx) => {
    const found = tx.signals.get(dmarcSignal);
    if (found === undefined) return 'unmet';
    return verdictOf(
      (c.result === undefined || c.result === found.result) &&
        (c.policy === undefined || c.policy === found.requestedPolicy) &&
        (c.has_author === undefined || c.has_author === (found.authorDomain !== undefined)),
    );
  },
});
