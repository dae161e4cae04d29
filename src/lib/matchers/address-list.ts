/** Matches when the sender, or with `mode: PER_RCPT` the recipient, is in a list of domains and local-part prefixes. */
import { z } from 'zod';
import { addressListTest } from '../core/address-list.ts';
import { defineMatcher, verdictOf } from './matcher.ts';

const config = z.strictObject({
  which_addr: z.string().pipe(
    z.enum(['mail_from', 'rcpt_to'], {
      error: (issue) =>
        issue.input === 'header_from'
          ? '`which_addr: header_from` is not supported yet; use mail_from, or a policy on dkim_check'
          : undefined,
    }),
  ),
  domains: z.array(z.string()).nullish().describe('Domains; none means any.'),
  prefixes: z.array(z.string()).nullish().describe('Beginnings of the local part; none means any.'),
  delimiter: z.string().min(1).nullish().describe('What may follow a prefix; without it the local part must be one.'),
});

export const addressList = defineMatcher({
  name: 'address_list',
  summary: 'The sender or the recipient is in this list.',
  config,
  reads: (c) => (c.which_addr === 'rcpt_to' ? 'rcpt' : 'mail'),
  perRcpt: (c) => c.which_addr === 'rcpt_to',
  create: (c) => {
    const isListed = addressListTest({
      domains: c.domains ?? [],
      prefixes: c.prefixes ?? [],
      delimiter: c.delimiter ?? undefined,
    });
    return (tx, rcpt) => {
      const address = c.which_addr === 'rcpt_to' ? rcpt?.to.address : tx.mailFrom?.address;
      return address === undefined ? 'unmet' : verdictOf(isListed(address));
    };
  },
});
