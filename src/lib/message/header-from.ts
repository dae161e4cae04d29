/** The author's domains of a header block, for whatever depends on them: signing keys, alignment, DMARC. Addresses are read in one way only. */
import { domainToASCII } from 'node:url';
import { domainOf } from '../core/mailbox.ts';
import { parseHeaders } from './headers.ts';
import { fromFields } from './mime/from-addresses.ts';

export interface AuthorDomains {
  /** Of every address in every From field, as DNS has them: ASCII, lower case; what has no domain is left out. */
  readonly domains: readonly string[];
  /** A From field holds what a more generous reader may show as another author. */
  readonly mayHideOthers: boolean;
}

export function headerFromDomains(block: Buffer): AuthorDomains {
  const fields = fromFields(parseHeaders(block));
  const domains = fields
    .flatMap(({ addresses }) => addresses)
    .map(({ address }) => domainToASCII(domainOf(address) ?? ''))
    .filter((domain) => domain !== '');
  return { domains: [...new Set(domains)], mayHideOthers: fields.some((field) => field.mayHideOthers) };
}
