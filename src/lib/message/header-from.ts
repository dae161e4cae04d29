/** The author's domains of a header block, for whatever depends on them: signing keys, alignment, DMARC. Addresses are read in one way only. */
import { domainToASCII } from 'node:url';
import { domainOf } from '../core/mailbox.ts';
import { parseHeaders } from './headers.ts';
import { fromAddresses } from './mime/from-addresses.ts';

/** The domains of every address in every From field, as DNS has them: ASCII, lower case; what has no domain is left out. */
export function headerFromDomains(block: Buffer): readonly string[] {
  const domains = fromAddresses(parseHeaders(block)).map(({ address }) => domainToASCII(domainOf(address) ?? ''));
  return [...new Set(domains.filter((domain) => domain !== ''))];
}
