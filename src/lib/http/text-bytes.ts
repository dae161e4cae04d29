/** Text as its UTF-8 bytes, and back. Mail is mostly ASCII, whose bytes are copied as they are, which takes a fraction of the time. */
import { isAscii, isUtf8 } from 'node:buffer';

export function textBytes(text: string): Buffer {
  return Buffer.byteLength(text) === text.length ? Buffer.from(text, 'latin1') : Buffer.from(text);
}

/** `undefined` when it is not UTF-8. */
export function bytesText(bytes: Buffer): string | undefined {
  if (isAscii(bytes)) return bytes.toString('latin1');
  return isUtf8(bytes) ? bytes.toString() : undefined;
}
