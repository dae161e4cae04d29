/** Matches when the SMTP session was encrypted. Without an SMTP session it was not. */
import { z } from 'zod';
import { defineMatcher, verdictOf } from './matcher.ts';

export const smtpTls = defineMatcher({
  name: 'smtp_tls',
  aliases: ['tls'],
  summary: 'The SMTP session is encrypted.',
  config: z.strictObject({}),
  reads: 'mail',
  create: () => (tx) => verdictOf(tx.smtpMeta?.tls === true),
});
