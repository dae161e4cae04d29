/** Matches a reverse-path that is no address. The null reverse-path of bounces is a valid one (RFC 5321 §4.5.5). */
import { z } from 'zod';
import { parseAddress } from '../core/mailbox.ts';
import { defineMatcher, verdictOf } from './matcher.ts';

export const invalidMailFrom = defineMatcher({
  name: 'invalid_mail_from',
  summary: 'The sender’s address is malformed.',
  config: z.strictObject({}),
  reads: 'mail',
  create: () => (tx) => {
    const address = tx.mailFrom?.address;
    return address === undefined ? 'unmet' : verdictOf(address !== '' && parseAddress(address) === undefined);
  },
});
