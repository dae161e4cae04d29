/** The author's domains of a header block, for whatever depends on them: signing keys, alignment, DMARC. Addresses are read in one way only. */
import { domainOf } from '../core/mailbox.ts';
import { asciiDomain } from './ascii-domain.ts';
import { parseHeaders } from './headers.ts';
import { fromFields } from './mime/from-addresses.ts';

export interface AuthorDomains {
  /** Of every address in every From field, as DNS has them. */
  readonly domains: readonly string[];
  /** A From field holds what a more generous reader may show as another author, or an author without a domain. */
  readonly mayHideOthers: boolean;
}

export function headerFromDomains(block: Buffer): AuthorDomains {
  const fields = fromFields(parseHeaders(block));
  const found = fields.flatMap(({ addresses }) => addresses).map(({ address }) => asciiDomain(domainOf(address) ?? ''));
  const domains = new Set(found.filter((domain) => domain !== undefined));
  const isEachKnown = found.every((domain) => domain !== undefined) && !fields.some((field) => field.mayHideOthers);
  return { domains: [...domains], mayHideOthers: !isEachKnown };
}
