/** A path of the envelope (RFC 5321 §4.1.2) with the ESMTP parameters that came with it on MAIL or RCPT. */
import { limits } from './limits.ts';

/** `SIZE=812` is `{keyword: 'SIZE', value: '812'}`; `SMTPUTF8` has no value. Order and case are kept. */
export interface EsmtpParam {
  readonly keyword: string;
  readonly value?: string;
}

/** `address` is `local@domain`, or `''` for the null reverse-path. */
export interface Mailbox {
  readonly address: string;
  readonly params: readonly EsmtpParam[];
}

export function mailbox(address: string, params: readonly EsmtpParam[] = []): Mailbox {
  return { address, params };
}

/** Whether an address is longer than what an envelope takes: in octets, as it may be in any language (RFC 6531). */
export function isPathTooLong(address: string): boolean {
  // A UTF-16 unit has three octets at most.
  return address.length * 3 > limits.smtpPathBytes && Buffer.byteLength(address) > limits.smtpPathBytes;
}

/** Finds a parameter by keyword, which is case-insensitive (RFC 5321 §2.4). */
export function findParam(box: Mailbox, keyword: string): EsmtpParam | undefined {
  if (box.params.length === 0) return undefined;
  const wanted = keyword.toUpperCase();
  return box.params.find((param) => param.keyword.toUpperCase() === wanted);
}

export interface AddressParts {
  /** As written: quotes of a quoted local part are kept. */
  readonly localPart: string;
  readonly domain: string;
}

const DOT_STRING = /^[^\s"(),:;<>@[\\\]\u0000-\u001f\u007f]+$/u;
const QUOTED_STRING = /^"(?:[^"\\\r\n\u0000]|\\[^\r\n\u0000])*"$/u;
const LABEL = /^[\p{L}\p{N}\p{M}_](?:[\p{L}\p{N}\p{M}_-]*[\p{L}\p{N}\p{M}_])?$/u;
/** The same for all labels of a name in ASCII, as nearly all are. */
const ASCII_DOMAIN =
  /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/;
const ADDRESS_LITERAL =
  /^\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9a-f:.]+|[A-Za-z0-9-]*[A-Za-z0-9]:[\x21-\x5a\x5e-\x7e]+)\]$/i;

/**
 * Splits an address, or answers `undefined` when it is none: no `@`, an empty side, a leading `<`, trailing garbage, a domain with an
 * empty label. Quoted local parts, address literals and internationalised addresses (RFC 6531) are accepted, and so is the bare
 * `postmaster` (RFC 5321 §4.5.1), whose domain is `''`. A double dot inside the local part is tolerated, as the world does.
 */
export function parseAddress(address: string): AddressParts | undefined {
  if (/^postmaster$/i.test(address)) return { localPart: address, domain: '' };
  const at = address.lastIndexOf('@');
  if (at <= 0 || at === address.length - 1) return undefined;
  const localPart = address.slice(0, at);
  const domain = address.slice(at + 1);
  if (!DOT_STRING.test(localPart) && !QUOTED_STRING.test(localPart)) return undefined;
  if (!isDomain(domain) && !ADDRESS_LITERAL.test(domain)) return undefined;
  return { localPart, domain };
}

/** A host name of dot-separated labels, in ASCII or as U-labels; underscores are tolerated. */
export function isDomain(domain: string): boolean {
  if (domain.length > 255) return false;
  return ASCII_DOMAIN.test(domain) || domain.split('.').every((label) => label.length <= 63 && LABEL.test(label));
}

/** The domain of an address in lower case, or `undefined` when it has none. */
export function domainOf(address: string): string | undefined {
  const parts = parseAddress(address);
  return parts === undefined || parts.domain === '' ? undefined : parts.domain.toLowerCase();
}
