/**
 * Builds a delivery status notification (RFC 3464, RFC 6522, RFC 6533): what a sender gets to read when a message he handed to us was not
 * delivered, is late, or has arrived. Three parts: for people, for programs, and the message it is about or its header.
 */
import { domainToASCII } from 'node:url';
import type { Clock, Rng } from '../core/deps.ts';
import { formatDate } from './date.ts';
import { deliveryStatus } from './delivery-status.ts';
import { type DsnAction, type DsnAsk, isAscii, isInternational } from './dsn-ask.ts';
import { originalPart } from './dsn-original.ts';
import { dsnText } from './dsn-text.ts';
import { writeField } from './header-field.ts';
import { headerValue, parseHeaders } from './headers.ts';
import { type ReportPart, writePart } from './report-part.ts';

/**
 * The complete message with CRLF line ends. It goes out with the null reverse-path, so that nobody answers it with another one. It is
 * ASCII, except that a returned message may have 8-bit text, and the header the address of a sender who has no ASCII one.
 */
export function buildDsn(ask: DsnAsk, deps: { readonly clock: Clock; readonly rng: Rng }): Buffer {
  const boundary = `=_report_${deps.rng.bytes(12).toString('hex')}`;
  const type = isInternational(ask) ? 'global-delivery-status' : 'delivery-status';
  const original = originalPart(ask);
  const parts: readonly ReportPart[] = [
    { type: 'text/plain; charset="utf-8"', bytes: dsnText(ask), encoding: 'seven-bit' },
    { type: `message/${type}`, bytes: deliveryStatus(ask), encoding: 'seven-bit' },
    ...(original === undefined ? [] : [original]),
  ];
  // RFC 6522 §3: the report type is the subtype of the second part.
  const contentType = `multipart/report; report-type=${type}; boundary="${boundary}"`;
  return Buffer.concat([
    Buffer.from(`${header(ask, contentType, deps)}\r\n`),
    ...parts.flatMap((part) => [Buffer.from(`--${boundary}\r\n`), writePart(part), Buffer.from('\r\n')]),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
}

const SUBJECTS: Readonly<Record<DsnAction, string>> = {
  failed: 'Delivery Status Notification (failure)',
  delayed: 'Delivery Status Notification (delay)',
  delivered: 'Delivery Status Notification (success)',
  relayed: 'Delivery Status Notification (relayed)',
  expanded: 'Delivery Status Notification (expanded)',
};

function header(
  ask: DsnAsk,
  contentType: string,
  { clock, rng }: { readonly clock: Clock; readonly rng: Rng },
): string {
  const id = messageId(ask.original.headerBlock);
  const fields: [string, string][] = [
    ['From', `Mail Delivery Subsystem <${oneLine(ask.from)}>`],
    ['To', oneLine(asciiWherePossible(ask.to))],
    ['Date', formatDate(clock.now())],
    ['Message-ID', `<${rng.bytes(16).toString('hex')}@${oneLine(ask.reportingDomain)}>`],
    ['Subject', SUBJECTS[ask.action]],
    ...(id === undefined
      ? []
      : ([
          ['In-Reply-To', id],
          ['References', id],
        ] as [string, string][])),
    // RFC 3834 §5: keeps vacation responders and mailing lists from answering.
    ['Auto-Submitted', 'auto-replied'],
    ['MIME-Version', '1.0'],
    ['Content-Type', contentType],
  ];
  return fields.map(([name, value]) => writeField(name, value)).join('');
}

/** A domain has an ASCII form, so only a local part can make SMTPUTF8 necessary. */
function asciiWherePossible(address: string): string {
  const at = address.lastIndexOf('@');
  if (isAscii(address) || !isAscii(address.slice(0, at))) return address;
  const domain = domainToASCII(address.slice(at + 1));
  return domain === '' ? address : `${address.slice(0, at)}@${domain}`;
}

function messageId(block: Buffer): string | undefined {
  const value = headerValue(parseHeaders(block), 'message-id');
  return value !== undefined && /^<[!-;=?-~]{1,900}>$/.test(value) ? value : undefined;
}

function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f]/g, '');
}
