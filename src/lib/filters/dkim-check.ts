/** `dkim_check`: whether the DKIM signatures of the message are good, and whose they are (RFC 6376). It never rejects, whatever it finds. */
import { z } from 'zod';
import { verifyDkim } from '../auth/verify-dkim.ts';
import { defineFilter } from '../chain/filter.ts';
import { cancelledReply } from '../core/precondition.ts';
import { dkimSignal } from '../core/signals/dkim.ts';
import { asciiDomain } from '../message/ascii-domain.ts';

const config = z.strictObject({
  extra_domains: z
    .array(
      z
        .string()
        .refine((text) => asciiDomain(text) !== undefined, { error: 'expected a domain' })
        .transform((text) => asciiDomain(text) ?? text),
    )
    .max(20)
    .default([])
    .describe(
      'Signing domains that count as aligned besides that of the From address: of forwarders and services you know.',
    ),
});

export const dkimCheck = defineFilter<z.output<typeof config>>({
  name: 'dkim_check',
  aliases: [dkimSignal.wireName],
  summary: 'Verifies the DKIM signatures of the message.',
  config,
  produces: [dkimSignal],
  create:
    ({ extra_domains: extraDomains }, { deps }) =>
    () => ({
      async data(tx, body, next) {
        const { signatures, uncheckedCount } = await verifyDkim(body, deps, { extraDomains, signal: tx.signal });
        tx.signals.set(dkimSignal, { signatures, uncheckedCount });
        return tx.signal.aborted ? cancelledReply : next(body);
      },
    }),
});
