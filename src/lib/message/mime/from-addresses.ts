/** Whose message it says it is: the addresses of the From fields. What policies, DKIM alignment and DMARC start from. */
import { type Mailbox, mailbox } from '../../core/mailbox.ts';
import type { HeaderField } from '../headers.ts';
import { type AddressField, parseAddressField } from './addresses.ts';

/** Every address of every From field, in order; empty when none can be read. */
export function fromAddresses(headers: readonly HeaderField[]): readonly Mailbox[] {
  return fromFields(headers)
    .flatMap(({ addresses }) => addresses)
    .map(({ address }) => mailbox(address));
}

/** Every From field, in order. */
export function fromFields(headers: readonly HeaderField[]): readonly AddressField[] {
  return headers.filter(({ name }) => name.toLowerCase() === 'from').map(({ value }) => parseAddressField(value));
}
