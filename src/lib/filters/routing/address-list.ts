/** `address_list`: addresses of these domains and local parts go to the destination, or, without one, do not exist. */
import { z } from 'zod';
import { addressListTest, isListDomain, noListDomain } from '../../core/address-list.ts';
import { reply } from '../../core/response.ts';
import { defineRoutingPolicy } from './policy.ts';

const config = z.strictObject({
  domains: z
    .array(z.string().refine(isListDomain, { error: noListDomain }))
    .nullish()
    .describe('Domains; none means any.'),
  prefixes: z.array(z.string()).nullish().describe('Beginnings of the local part; none means any.'),
  delimiter: z.string().min(1).nullish().describe('What may follow a prefix; without it the local part must be one.'),
});

const noMailbox = reply(550, '5.1.1', 'mailbox does not exist');

export const addressList = defineRoutingPolicy<z.output<typeof config>>({
  name: 'address_list',
  summary: 'Routes the addresses of a list; without a destination, rejects them.',
  config,
  onlyListed: (c) => (c.domains ?? []).length > 0,
  create: (c, hasDestination) => {
    const isListed = addressListTest({
      domains: c.domains ?? [],
      prefixes: c.prefixes ?? [],
      delimiter: c.delimiter ?? undefined,
    });
    return (to) => {
      if (!isListed(to.address)) return { kind: 'pass' };
      return hasDestination ? { kind: 'route' } : { kind: 'reject', response: noMailbox };
    };
  },
});
