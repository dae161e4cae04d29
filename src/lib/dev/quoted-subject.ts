/** The subject of a message as people read it, for a line on a terminal. */
import { decodeWords } from '../message/mime/encoded-words.ts';
import { plainText } from '../tools/tx/plain-text.ts';

/** Where the header is looked for: a line about a message is not worth reading all of it. */
const HEADER_BYTES = 4096;

/** `, "Grüße"`, unfolded and decoded (RFC 2047); empty when there is none. */
export function quotedSubject(message: Buffer): string {
  const [header = ''] = message
    .subarray(0, HEADER_BYTES)
    .toString('utf8')
    .split(/\r?\n\r?\n/);
  const folded = /^subject:[ \t]*(.*(?:\r?\n[ \t].*)*)/im.exec(header)?.[1];
  if (folded === undefined) return '';
  return `, "${plainText(decodeWords(folded.replace(/\r?\n(?=[ \t])/g, '').trim()))}"`;
}
