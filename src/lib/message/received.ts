/** Writes the Received header (RFC 5321 §4.4) from what is known of a hop. Pure; safe with anything a peer may have said. */
import { domainToASCII } from 'node:url';
import { parseAddress } from '../core/mailbox.ts';
import { formatDate } from './date.ts';

export interface ReceivedFacts {
  /** What the peer called itself. */
  readonly ehloHost?: string | undefined;
  readonly peerAddress?: string | undefined;
  /** The peer's name in DNS, when it leads back to its address. */
  readonly peerName?: string | undefined;
  /** Our name. */
  readonly by?: string | undefined;
  /** `ESMTPSA`, `X-RESTMTP`, … */
  readonly protocol: string;
  /** The only recipient. */
  readonly rcptTo?: string | undefined;
  /** RFC 6531: the header may hold UTF-8. */
  readonly utf8: boolean;
  readonly atMs: number;
}

/** RFC 5321 §4.5.3.1.2 and .3 allow 255 and 256 octets; what is longer has no place in a header line. */
const NAME_CHARS_MAX = 255;
const PATH_CHARS_MAX = 512;

export function receivedHeader(facts: ReceivedFacts): string {
  if (!isSameHop(facts, newest.facts)) newest = { facts, clauses: hopClauses(facts) };
  const recipient = forClause(facts);
  const rest = recipient === undefined ? ';' : `${FOLD}${recipient};`;
  return `${newest.clauses}${rest}${FOLD}${formatDate(facts.atMs)}\r\n`;
}

const FOLD = '\r\n\t';

/** The newest hop that was written: the next message often comes over the same. */
let newest: { readonly facts: ReceivedFacts | undefined; readonly clauses: string } = { facts: undefined, clauses: '' };

function isSameHop(a: ReceivedFacts, b: ReceivedFacts | undefined): boolean {
  return (
    a.ehloHost === b?.ehloHost &&
    a.peerAddress === b?.peerAddress &&
    a.peerName === b?.peerName &&
    a.by === b?.by &&
    a.protocol === b?.protocol &&
    a.utf8 === b?.utf8
  );
}

function hopClauses(facts: ReceivedFacts): string {
  const { by, protocol, utf8 } = facts;
  const from = fromClause(facts);
  const said = from === undefined ? '' : from + FOLD;
  const own = by === undefined ? '' : `by ${hostText(by, utf8)}${FOLD}`;
  return `Received: ${said}${own}with ${protocol}`;
}

function fromClause({ ehloHost, peerAddress, peerName, utf8 }: ReceivedFacts): string | undefined {
  if (peerAddress === undefined) return undefined;
  const literal = addressLiteral(peerAddress);
  const said = hostText(ehloHost ?? peerName ?? '', utf8) || literal;
  const known = peerName === undefined ? '' : `${hostText(peerName, utf8)} `;
  return `from ${said} (${known}${literal})`;
}

/** An address that cannot be written in this header is left out: nobody needs the clause. */
function forClause({ rcptTo, utf8 }: ReceivedFacts): string | undefined {
  if (rcptTo === undefined || rcptTo.length > PATH_CHARS_MAX || /[\u0000-\u001f\u007f]/.test(rcptTo)) return undefined;
  // What is no address could end the clause and say something of its own.
  if (parseAddress(rcptTo) === undefined) return undefined;
  const written = utf8 ? rcptTo : asciiAddress(rcptTo);
  return isAscii(written) || utf8 ? `for ${written}` : undefined;
}

function asciiAddress(address: string): string {
  const at = address.lastIndexOf('@');
  const domain = address.slice(at + 1);
  return isAscii(domain) ? address : address.slice(0, at + 1) + (domainToASCII(domain) || domain);
}

/** RFC 5321 §4.1.3. */
function addressLiteral(ip: string): string {
  return ip.includes(':') ? `[IPv6:${ip}]` : `[${ip}]`;
}

/** What needs no change: nearly all there are. */
const PLAIN_HOST = /^[A-Za-z0-9.:_[\]-]{0,255}$/;

/** A host name or literal as somebody claimed it: nothing in it can end the clause, open a comment or start a line. */
function hostText(host: string, utf8: boolean): string {
  if (PLAIN_HOST.test(host)) return host;
  const known = utf8 || isAscii(host) ? host : domainToASCII(host) || host;
  const allowed = utf8 ? /[^\p{L}\p{N}\p{M}.:_[\]-]/gu : /[^A-Za-z0-9.:_[\]-]/g;
  return known.slice(0, NAME_CHARS_MAX).replace(allowed, '?');
}

function isAscii(text: string): boolean {
  return /^[\u0000-\u007f]*$/.test(text);
}
