/** Matches on the Authenticated Received Chain of the message, and on who sealed it. */
import { z } from 'zod';
import { arcSignal } from '../core/signals/arc.ts';
import { asciiDomain } from '../message/ascii-domain.ts';
import { defineMatcher, verdictOf } from './matcher.ts';

const config = z.strictObject({
  result: z
    .enum(['none', 'pass', 'fail', 'temperror'])
    .default('pass')
    .describe('Of the chain. Anybody can seal anything: `pass` without `sealers` says nothing about whom to believe.'),
  sealers: z
    .array(
      z
        .string()
        .refine((text) => asciiDomain(text) !== undefined, { error: 'expected a domain' })
        .transform((text) => asciiDomain(text) ?? text),
    )
    .min(1)
    .optional()
    .describe('Everybody who sealed the message is one of these domains: a chain is as good as its worst sealer.'),
});

export const arcCheck = defineMatcher<z.output<typeof config>>({
  name: 'arc_check',
  aliases: [arcSignal.wireName],
  summary: 'The result of the message’s ARC chain, and whether all who sealed it are known to you.',
  config,
  reads: 'data',
  consumes: [arcSignal],
  create:
    ({ result, sealers }) =>
    (tx) => {
      const found = tx.signals.get(arcSignal);
      if (found === undefined) return 'unmet';
      const areKnown = (known: readonly string[]): boolean =>
        found.sealers.length > 0 && found.sealers.every(({ domain }) => known.includes(domain));
      return verdictOf(found.result === result && (sealers === undefined || areKnown(sealers)));
    },
});
