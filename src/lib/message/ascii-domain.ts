/** Domains as DNS has them, so that two spellings of one name compare equal. */
import { domainToASCII } from 'node:url';
import { isDomain } from '../core/mailbox.ts';

/** Lower case, A-labels (RFC 5890), no dot at the end; `undefined` when it is no domain name. */
export function asciiDomain(domain: string): string | undefined {
  const bare = domain.endsWith('.') ? domain.slice(0, -1) : domain;
  if (!isDomain(bare)) return undefined;
  const ascii = /^[\x00-\x7f]*$/.test(bare) ? bare.toLowerCase() : domainToASCII(bare);
  return ascii === '' ? undefined : ascii;
}

/** Equal, or below it. Both as `asciiDomain` gives them. */
export function isWithin(domain: string, above: string): boolean {
  return domain === above || domain.endsWith(`.${above}`);
}
