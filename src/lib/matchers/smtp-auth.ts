/** Matches when the SMTP client has authenticated. Without an SMTP session nobody has, so that `not: smtp_auth` fails safe. */
import { z } from 'zod';
import { defineMatcher, verdictOf } from './matcher.ts';

export const smtpAuth = defineMatcher({
  name: 'smtp_auth',
  summary: 'The SMTP client has authenticated.',
  config: z.strictObject({}),
  reads: 'mail',
  ofStranger: () => 'no',
  create: () => (tx) => verdictOf(tx.smtpMeta?.auth === true),
});
