/** The part of a delivery status notification that programs read: message/delivery-status (RFC 3464 §2), one recipient. */
import { type Response, responseLines } from '../core/response.ts';
import { formatDate } from './date.ts';
import { type DsnAsk, isAscii, isInternational } from './dsn-ask.ts';
import { writeField } from './header-field.ts';

/** Longer diagnostics say nothing more to anybody. */
const DIAGNOSTIC_CHARS = 2000;
/** A line must not be longer than 998 octets (RFC 5322 §2.1.1), so no word may be; a character has up to 4. */
const WORD_BYTES = 480;

/** In ASCII, unless the report is of the internationalised kind (RFC 6533 §3). */
export function deliveryStatus(ask: DsnAsk): Buffer {
  const { original, action, response } = ask;
  const { envelopeId, originalRecipient: said, rcpt } = original;
  const field = isInternational(ask) ? utf8Field : asciiField;
  const message = [
    ...(envelopeId === undefined ? [] : [field('Original-Envelope-Id', envelopeId)]),
    field('Reporting-MTA', `dns; ${ask.reportingDomain}`),
    field('Arrival-Date', formatDate(original.arrivalAt)),
  ];
  const recipient = [
    ...(said === undefined ? [] : [field('Original-Recipient', `${said.type}; ${said.address}`)]),
    field('Final-Recipient', `${isAscii(rcpt) ? 'rfc822' : 'utf-8'}; ${rcpt}`),
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

function asciiField(name: string, value: string): string {
  return writeField(name, oneLine(value.replace(/[^\x00-\x7e]/gu, '?'), WORD_BYTES));
}

function utf8Field(name: string, value: string): string {
  return writeField(name, oneLine(value, WORD_BYTES / 2));
}

/** Without controls, and with a space in words that are longer. */
function oneLine(value: string, wordChars: number): string {
  const text = value.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, ' ');
  return text.replace(new RegExp(`\\S{${wordChars}}(?=\\S)`, 'gu'), '$& ');
}
