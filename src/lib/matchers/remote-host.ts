/** Matches on what DNS says of the peer: whether its name can be believed, whether it is the one it said, or whether DNS answered at all. */
import { z } from 'zod';
import { remoteHostSignal } from '../core/signals/remote-host.ts';
import { defineMatcher, verdictOf } from './matcher.ts';

const config = z
  .strictObject({
    fcrdns: z.boolean().optional().describe('The peer’s name leads back to its address.'),
    ehlo_alignment: z.boolean().optional().describe('That name is the one it said in EHLO.'),
    status: z
      .enum(['OK', 'DNS_TEMP', 'NOT_FOUND'])
      .optional()
      .describe('DNS has a name for the peer, could not say for the moment, or has none.'),
  })
  .refine((c) => Object.values(c).some((wanted) => wanted !== undefined), {
    error: 'expected one of fcrdns, ehlo_alignment, status',
  });

export const remoteHost = defineMatcher({
  name: 'remote_host',
  aliases: [remoteHostSignal.wireName],
  summary: 'What DNS says of the peer: forward-confirmed name, alignment with EHLO.',
  config,
  reads: 'mail',
  consumes: [remoteHostSignal],
  create: (c) => (tx) => {
    const found = tx.signals.get(remoteHostSignal);
    if (found === undefined) return 'unmet';
    return verdictOf(
      (c.fcrdns === undefined || c.fcrdns === found.fcrdns) &&
        (c.ehlo_alignment === undefined || c.ehlo_alignment === found.ehloAlignment) &&
        (c.status === undefined || c.status === found.status),
    );
  },
});
