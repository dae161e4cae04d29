/** The part of a delivery status notification that programs read: message/delivery-status (RFC 3464 §2), one recipient. */
import { type Response, responseLines } from '../core/response.ts';
import { formatDate } from './date.ts';
import type { DsnAsk } from './dsn-ask.ts';
import { writeField } from './header-field.ts';

/** Longer diagnostics say nothing more to anybody. */
const DIAGNOSTIC_CHARS = 2000;
/** A line must not be longer than 998 (RFC 5322 §2.1.1), so no word may be. */
const WORD_CHARS = 500;

export function deliveryStatus(ask: DsnAsk): Buffer {
  const { original, action, response } = ask;
  const message = [
    ...(original.envelopeId === undefined ? [] : [field('Original-Envelope-Id', original.envelopeId)]),
    field('Reporting-MTA', `dns; ${ask.reportingDomain}`),
    field('Arrival-Date', formatDate(original.arrivalAt)),
  ];
  const recipient = [
    field('Final-Recipient', typedAddress(original.rcpt)),
    field('Action', action),
    field('Status', statusOf(response)),
    ...(ask.remoteMta === undefined ? [] : [field('Remote-MTA', `dns; ${ask.remoteMta}`)]),
    field('Diagnostic-Code', `smtp; ${diagnostic(response)}`),
    field('Last-Attempt-Date', formatDate(ask.lastAttemptAt)),
    ...(ask.retryUntil === undefined ? [] : [field('Will-Retry-Until', formatDate(ask.retryUntil))]),
  ];
  return Buffer.from(`${message.join('')}\r\n${recipient.join('')}`);
}

/** The enhanced code of a reply when it has one of the same class, else the general one of its class (RFC 3463). */
export function statusOf({ code, enhanced }: Response): string {
  const digit = code >= 200 && code <= 299 ? '2' : code >= 400 && code <= 499 ? '4' : '5';
  return enhanced?.startsWith(`${digit}.`) === true ? enhanced : `${digit}.0.0`;
}

/** Code and text on one line. */
export function diagnostic(response: Response): string {
  return `${response.code} ${responseLines(response).join(' ')}`.trim().slice(0, DIAGNOSTIC_CHARS);
}

/** RFC 6533 §3: an internationalised address is of type utf-8, in the form that passes 7-bit transport. */
function typedAddress(address: string): string {
  if (/^[\x20-\x7e]*$/.test(address)) return `rfc822; ${address}`;
  const text = address.replace(/[^\x21-\x2a\x2c-\x3c\x3e-\x5b\x5d-\x7e]/gu, (char) => {
    return `\\x{${(char.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`;
  });
  return `utf-8; ${text}`;
}

function field(name: string, value: string): string {
  const text = value.replace(/[\x00-\x1f\x7f]+/g, ' ').replace(/[^\x20-\x7e]/gu, '?');
  return writeField(name, text.replace(new RegExp(`\\S{${WORD_CHARS}}(?=\\S)`, 'g'), '$& '));
}
