/** The last part of a delivery status notification: the message it is about, or its header (RFC 6522 §3, RFC 6533 §4). */
import { limits } from '../core/limits.ts';
import { type DsnAsk, isInternational } from './dsn-ask.ts';
import type { ReportPart } from './report-part.ts';

/** Nothing when nothing of the message is known: the part is optional, and an empty one says nothing. */
export function originalPart(ask: DsnAsk): ReportPart | undefined {
  const { headerBlock, message } = ask.original;
  const isGlobal = isInternational(ask);
  // RFC 2046 §5.2.1: message/rfc822 must not be encoded; RFC 6532 §3.7: message/global may.
  if (message !== undefined) {
    const type = isGlobal ? 'message/global' : 'message/rfc822';
    return { type, bytes: withCrlf(message), encoding: isGlobal ? 'seven-bit' : 'as-is' };
  }
  if (headerBlock.length === 0) return undefined;
  const type = isGlobal ? 'message/global-headers' : 'text/rfc822-headers';
  return { type, bytes: beginningOf(withCrlf(headerBlock)), encoding: 'seven-bit' };
}

/** Of a huge header the beginning, in whole lines. */
function beginningOf(header: Buffer): Buffer {
  if (header.length <= limits.dsnHeaderBytes) return header;
  return header.subarray(0, header.lastIndexOf('\r\n', limits.dsnHeaderBytes) + 2);
}

function withCrlf(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n'), 'latin1');
}
