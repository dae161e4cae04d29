/** Matches a recipient that is no address. */
import { z } from 'zod';
import { parseAddress } from '../core/mailbox.ts';
import { defineMatcher, verdictOf } from './matcher.ts';

export const invalidRcptTo = defineMatcher({
  name: 'invalid_rcpt_to',
  summary: 'The recipient’s address is malformed.',
  config: z.strictObject({}),
  reads: 'rcpt',
  perRcpt: true,
  ignoresCount: true,
  create: () => (_, rcpt) => (rcpt === undefined ? 'unmet' : verdictOf(parseAddress(rcpt.to.address) === undefined)),
});
