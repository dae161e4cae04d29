/**
 * Builds a delivery status notification (RFC 3464, RFC 6522): what a sender gets to read when a message he handed to us was not delivered,
 * is late, or has arrived. Three parts: for people, for programs, and the header of the message it is about.
 */
import * as quotedPrintable from 'nodemailer/lib/qp';
import type { Clock, Rng } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import { formatDate } from './date.ts';
import { deliveryStatus } from './delivery-status.ts';
import type { DsnAction, DsnAsk } from './dsn-ask.ts';
import { dsnText } from './dsn-text.ts';
import { writeField } from './header-field.ts';
import { headerValue, parseHeaders } from './headers.ts';

/** The complete message with CRLF line ends. It goes out with the null reverse-path, so that nobody answers it with another one. */
export function buildDsn(ask: DsnAsk, deps: { readonly clock: Clock; readonly rng: Rng }): Buffer {
  const boundary = `=_report_${deps.rng.bytes(12).toString('hex')}`;
  const { headerBlock } = ask.original;
  const parts = [
    part('text/plain; charset="utf-8"', dsnText(ask)),
    part('message/delivery-status', deliveryStatus(ask)),
    // RFC 6522 §3: the third part is optional, and an empty one says nothing.
    ...(headerBlock.length === 0 ? [] : [part('text/rfc822-headers', originalHeader(headerBlock))]),
  ];
  const report = parts.map((each) => `--${boundary}\r\n${each}\r\n`).join('');
  return Buffer.from(`${header(ask, boundary, deps)}\r\n${report}--${boundary}--\r\n`);
}

const SUBJECTS: Readonly<Record<DsnAction, string>> = {
  failed: 'Delivery Status Notification (failure)',
  delayed: 'Delivery Status Notification (delay)',
  delivered: 'Delivery Status Notification (success)',
};

function header(ask: DsnAsk, boundary: string, { clock, rng }: { readonly clock: Clock; readonly rng: Rng }): string {
  const id = messageId(ask.original.headerBlock);
  const fields: [string, string][] = [
    ['From', `Mail Delivery Subsystem <${oneLine(ask.from)}>`],
    ['To', oneLine(ask.to)],
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
    ['Content-Type', `multipart/report; report-type=delivery-status; boundary="${boundary}"`],
  ];
  return fields.map(([name, value]) => writeField(name, value)).join('');
}

/** RFC 6522 §3 leaves quoted-printable for parts that are not clean 7-bit text; it is used only where it is needed. */
function part(contentType: string, bytes: Buffer): string {
  const type = writeField('Content-Type', contentType);
  const text = bytes.toString('latin1');
  const isPlain = /^[\t\r\n\x20-\x7e]*$/.test(text) && text.split('\r\n').every((line) => line.length <= 998);
  if (isPlain) return `${type}\r\n${text}`;
  const encoded = quotedPrintable.wrap(quotedPrintable.encode(bytes), 76);
  return `${type}${writeField('Content-Transfer-Encoding', 'quoted-printable')}\r\n${encoded}`;
}

/** The original header with clean line ends; of a huge one the beginning, in whole lines. */
function originalHeader(block: Buffer): Buffer {
  const text = block.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n');
  if (text.length <= limits.dsnHeaderBytes) return Buffer.from(text, 'latin1');
  return Buffer.from(text.slice(0, text.lastIndexOf('\r\n', limits.dsnHeaderBytes) + 2), 'latin1');
}

function messageId(block: Buffer): string | undefined {
  const value = headerValue(parseHeaders(block), 'message-id');
  return value !== undefined && /^<[!-;=?-~]{1,900}>$/.test(value) ? value : undefined;
}

function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f]/g, '');
}
