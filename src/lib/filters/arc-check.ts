/**
 * `arc_check`: whether the hops that forwarded the message sealed what they saw, and whether those seals hold (RFC 8617). Whom to believe is
 * for a policy to say.
 */
import { z } from 'zod';
import { verifyArc } from '../auth/arc/verify-arc.ts';
import { defineFilter } from '../chain/filter.ts';
import { cancelledReply } from '../core/precondition.ts';
import { arcSignal } from '../core/signals/arc.ts';

const config = z.strictObject({});

export const arcCheck = defineFilter<z.output<typeof config>>({
  name: 'arc_check',
  aliases: [arcSignal.wireName],
  summary: 'Validates the chain of those who forwarded the message (ARC).',
  config,
  produces: [arcSignal],
  create:
    (_, { deps }) =>
    () => ({
      async data(tx, body, next) {
        tx.signals.set(arcSignal, await verifyArc(body, deps, tx.signal));
        return tx.signal.aborted ? cancelledReply : next(body);
      },
    }),
});
