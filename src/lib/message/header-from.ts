/** Who a message says it is from: the addresses of its From fields, for whatever depends on the author's domain. */
import { domainToASCII } from 'node:url';
import addressParser from 'nodemailer/lib/addressparser';
import { domainOf } from '../core/mailbox.ts';
import { parseHeaders } from './headers.ts';

/** Addresses of every From field of a header block, groups flattened; what is no address is left out. */
export function headerFrom(block: Buffer): readonly string[] {
  return parseHeaders(block)
    .filter(({ name }) => name.toLowerCase() === 'from')
    .flatMap(({ value }) => addressParser(value, { flatten: true }))
    .map(({ address }) => address)
    .filter((address) => domainOf(address) !== undefined);
}

/** The domains of those addresses as DNS has them: ASCII, lower case. */
export function headerFromDomains(block: Buffer): readonly string[] {
  const domains = headerFrom(block).map((address) => domainToASCII(domainOf(address) ?? ''));
  return [...new Set(domains.filter((domain) => domain !== ''))];
}
