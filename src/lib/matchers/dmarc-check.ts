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
  })
  .refine((c) => c.result !== undefined || c.policy !== undefined, { error: 'expected result, policy or both' });

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
        (c.policy === undefined || c.policy === found.requestedPolicy),
    );
  },
});
