/**
 * Matches when an address is in a list of domains and local-part prefixes: the sender, one of the authors the message names in its From
 * header, or with `mode: PER_RCPT` the recipient.
 */
import { z } from 'zod';
import type { Phase, TxContext } from '../chain/filter.ts';
import { addressListTest, isListDomain, noListDomain } from '../core/address-list.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { messageValidationSignal } from '../core/signals/message-validation.ts';
import { defineMatcher, type RcptInHand, verdictOf } from './matcher.ts';

const config = z.strictObject({
  which_addr: z
    .enum(['mail_from', 'header_from', 'rcpt_to'])
    .describe('The sender of the envelope, an author in the From header, or the recipient.'),
  domains: z
    .array(z.string().refine(isListDomain, { error: noListDomain }))
    .nullish()
    .describe('Domains; none means any.'),
  prefixes: z.array(z.string()).nullish().describe('Beginnings of the local part; none means any.'),
  delimiter: z.string().min(1).nullish().describe('What may follow a prefix; without it the local part must be one.'),
});

type ListConfig = z.output<typeof config>;

const PHASES = { mail_from: 'mail', rcpt_to: 'rcpt', header_from: 'data' } as const satisfies Record<string, Phase>;

export const addressList = defineMatcher<ListConfig>({
  name: 'address_list',
  summary: 'The sender, an author of the message or the recipient is in this list.',
  config,
  reads: (c) => PHASES[c.which_addr],
  perRcpt: (c) => c.which_addr === 'rcpt_to',
  consumes: (c) => (c.which_addr === 'header_from' ? [messageValidationSignal] : []),
  ofStranger: (c) => (c.which_addr === 'rcpt_to' && (c.domains ?? []).length > 0 ? 'no' : 'perhaps'),
  create: (c) => {
    const isListed = addressListTest({
      domains: c.domains ?? [],
      prefixes: c.prefixes ?? [],
      delimiter: c.delimiter ?? undefined,
    });
    return (tx, rcpt) => {
      const addresses = addressesOf(c, tx, rcpt);
      return addresses.length === 0 ? 'unmet' : verdictOf(addresses.some(({ address }) => isListed(address)));
    };
  },
});

/** Empty: there is none, or none that can be read. */
function addressesOf(c: ListConfig, tx: TxContext, rcpt: RcptInHand | undefined): readonly Mailbox[] {
  if (c.which_addr === 'header_from') return tx.signals.get(messageValidationSignal)?.headerFrom ?? [];
  const box = c.which_addr === 'rcpt_to' ? rcpt?.to : tx.mailFrom;
  return box === undefined ? [] : [box];
}
