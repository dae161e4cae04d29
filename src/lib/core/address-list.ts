/** A list of addresses by domain and by the beginning of the local part: what routing and policies both mean by `address_list`. */
import { isDomain, parseAddress } from './mailbox.ts';

export interface AddressList {
  /** Empty: any domain. */
  readonly domains: readonly string[];
  /** Empty: any local part. */
  readonly prefixes: readonly string[];
  /** What may follow a prefix (`+` accepts `news+2026@…` for `news`); absent: the local part must be the prefix. */
  readonly delimiter: string | undefined;
}

/** Whether an address can have this domain at all; a pattern such as `*.example.com` is none, and would never match. */
export function isListDomain(domain: string): boolean {
  return isDomain(domain) || parseAddress(`postmaster@${domain}`)?.domain === domain;
}

/** Said of what is not. */
export const noListDomain = 'no address has such a domain: expected one like example.com, without @ and wildcards';

/** Returns the question whether an address is in the list. Case does not matter; what is no address is in no list. */
export function addressListTest(list: AddressList): (address: string) => boolean {
  const domains = new Set(list.domains.map(fold));
  const prefixes = list.prefixes.map(fold);
  const delimiter = list.delimiter === undefined ? undefined : fold(list.delimiter);
  return (address) => {
    const parts = parseAddress(address);
    if (parts === undefined) return false;
    if (domains.size > 0 && !domains.has(fold(parts.domain))) return false;
    const localPart = fold(parts.localPart);
    const starts = (prefix: string): boolean =>
      localPart === prefix || (delimiter !== undefined && localPart.startsWith(prefix + delimiter));
    return prefixes.length === 0 || prefixes.some(starts);
  };
}

/** Two spellings of one name fold to the same: case, and composed or decomposed letters. */
function fold(text: string): string {
  return text.normalize('NFC').toLowerCase();
}
