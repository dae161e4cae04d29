/** Matches a recipient that would be one too many. */
import { z } from 'zod';
import { limits } from '../core/limits.ts';
import { defineMatcher, verdictOf } from './matcher.ts';

export const numRcpts = defineMatcher({
  name: 'num_rcpts',
  summary: 'As many recipients as allowed have been accepted before this one.',
  config: z.strictObject({ max_rcpts: z.int().min(0).describe('Recipients one transaction may have.') }),
  reads: 'rcpt',
  impossible: (c) =>
    c.max_rcpts < limits.rcptsPerTransaction
      ? undefined
      : `a transaction has at most ${limits.rcptsPerTransaction} recipients`,
  perRcpt: true,
  create: (c) => (_, rcpt) => (rcpt === undefined ? 'unmet' : verdictOf(rcpt.acceptedBefore >= c.max_rcpts)),
});
