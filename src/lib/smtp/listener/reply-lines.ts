/** Writes a reply as SMTP lines (RFC 5321 §4.2): one for each line of its text, none over 512 octets, and nothing in them that could end a line. */
import { limits } from '../../core/limits.ts';
import type { Response } from '../../core/response.ts';

export interface ReplyStyle {
  /** Greeting and answers to HELO and EHLO carry no enhanced code (RFC 2034 §3). */
  readonly isPlain?: boolean;
}

const DIGIT_0 = 0x30;
const ORDINARY: ReplyStyle = {};
/** One line as it stands: nothing to clean, nothing to trim. */
const SIMPLE = /^(?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

/** The reply with its line ends, ready for the socket. */
export function encodeReply(response: Response, style: ReplyStyle = ORDINARY): string {
  const enhanced = style.isPlain === true ? '' : enhancedPrefix(response);
  const { code, text: whole } = response;
  // Three digits, a space and the line end come to it.
  if (enhanced.length + whole.length + 6 <= limits.smtpReplyLineBytes && SIMPLE.test(whole))
    return `${code} ${enhanced}${whole}\r\n`;
  const room = limits.smtpReplyLineBytes - `${response.code}-${enhanced}\r\n`.length;
  const texts = response.text.split(/\r\n|\r|\n/).flatMap((line) => wrap(clean(line), room));
  const last = texts.length - 1;
  return texts.map((text, i) => `${response.code}${i === last ? ' ' : '-'}${enhanced}${text}\r\n`).join('');
}

/**
 * RFC 2034 §4: every 2xx, 4xx and 5xx reply has one, of its own class. A far end that gives none, or one of another class, is taken as
 * "undefined" (RFC 3463 §3.1).
 */
function enhancedPrefix({ code, enhanced }: Response): string {
  const cls = Math.floor(code / 100);
  if (cls !== 2 && cls !== 4 && cls !== 5) return '';
  if (enhanced === undefined || enhanced.charCodeAt(0) !== DIGIT_0 + cls || enhanced[1] !== '.') return `${cls}.0.0 `;
  return `${enhanced} `;
}

/** RFC 5321 §4.2: textstring is HT and printable characters. */
function clean(line: string): string {
  return line.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, ' ').trimEnd();
}

/** Cuts a line into pieces of at most `room` octets, at a space where there is one, never inside a character. */
function wrap(line: string, room: number): string[] {
  if (Buffer.byteLength(line) <= room) return [line];
  const pieces: string[] = [];
  let piece = '';
  let used = 0;
  for (const char of line) {
    const size = Buffer.byteLength(char);
    if (used + size > room) {
      const cut = piece.lastIndexOf(' ') + 1 || piece.length;
      pieces.push(piece.slice(0, cut).trimEnd());
      piece = piece.slice(cut);
      used = Buffer.byteLength(piece);
    }
    piece += char;
    used += size;
  }
  return [...pieces, piece];
}
