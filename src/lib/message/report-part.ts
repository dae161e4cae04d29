/** One part of a multipart/report, as bytes on the wire. */
import * as quotedPrintable from 'nodemailer/lib/qp';
import { writeField } from './header-field.ts';

export interface ReportPart {
  readonly type: string;
  readonly bytes: Buffer;
  /** `seven-bit`: in a form that passes everywhere. `as-is`: 8-bit text stays 8-bit, and needs 8BITMIME on its way. */
  readonly encoding: 'seven-bit' | 'as-is';
}

/** RFC 6522 §3 leaves quoted-printable for parts that are not clean 7-bit text; it is used only where it is needed. */
export function writePart({ type, bytes, encoding }: ReportPart): Buffer {
  const field = writeField('Content-Type', type);
  if (isPlain(bytes)) return Buffer.concat([Buffer.from(`${field}\r\n`), bytes]);
  if (encoding === 'as-is')
    return Buffer.concat([Buffer.from(`${field}Content-Transfer-Encoding: 8bit\r\n\r\n`), bytes]);
  const encoded = quotedPrintable.wrap(quotedPrintable.encode(bytes), 76);
  return Buffer.from(`${field}Content-Transfer-Encoding: quoted-printable\r\n\r\n${encoded}`);
}

function isPlain(bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  return /^[\t\r\n\x20-\x7e]*$/.test(text) && text.split('\r\n').every((line) => line.length <= 998);
}
