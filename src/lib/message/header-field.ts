/**
 * Writes one header field: encodes what is not ASCII (RFC 2047) and folds long lines (RFC 5322 §2.2.3). Folding only inserts CRLF before
 * white space that is there already, so unfolding gives back the very value.
 */
import * as mimeFuncs from 'nodemailer/lib/mime-funcs';

/** A value that cannot be written as this header; `path` is a JSON pointer below the value. */
export class FieldError extends Error {
  override readonly name = 'FieldError';
  readonly path: string;
  constructor(message: string, path = '') {
    super(message);
    this.path = path;
  }
}

/** RFC 5322 §2.1.1: lines should have at most 78 characters and must have at most 998. */
const LINE_WANTED = 78;
const LINE_MAX = 998;
/** Leaves room for `=?UTF-8?Q?…?=` within the 75 characters of RFC 2047 §2. */
const ENCODED_TEXT_MAX = 52;
/** A word of plain ASCII that is longer could not stay on one line, so it is written as encoded words. */
const PLAIN_WORD_MAX = 900;

const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text);
const ATOMS = /^[\w!#$%&'*+\-/=?^`{|}~]+(?: [\w!#$%&'*+\-/=?^`{|}~]+)*$/;

/** Refuses what no header may hold: line ends, which would start a header of their own, NUL and other controls. */
export function mustBeHeaderText(text: string, path = ''): void {
  if (/[\r\n]/.test(text)) throw new FieldError('must not contain line breaks', path);
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text)) throw new FieldError('must not contain control characters', path);
}

/** One complete field with its CRLF, folded. `value` is what comes out on unfolding; non-ASCII is written as UTF-8 (RFC 6532). */
export function writeField(name: string, value: string): string {
  const words = value.trim().match(/[ \t]*[^ \t]+/g) ?? [];
  const lines: string[] = [];
  let line = `${name}:`;
  for (const [i, word] of words.entries()) {
    const piece = i === 0 ? ` ${word}` : word;
    if (i > 0 && line.length + piece.length > LINE_WANTED) {
      lines.push(line);
      line = piece;
    } else {
      line += piece;
    }
  }
  lines.push(line);
  if (lines.some((each) => Buffer.byteLength(each) > LINE_MAX)) {
    throw new FieldError(`holds a word that does not fit on a line of ${LINE_MAX} characters`);
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** Encodes the words of free text from the first to the last that needs it, and leaves the rest readable. */
export function encodeText(text: string): string {
  const words = text.trim().split(/([ \t]+)/);
  const needs = (word: string): boolean => !isAscii(word) || word.length > PLAIN_WORD_MAX;
  const first = words.findIndex(needs);
  if (first === -1) return text.trim();
  const last = words.findLastIndex(needs);
  const encoded = encodeWords(words.slice(first, last + 1).join(''));
  return words.slice(0, first).join('') + encoded + words.slice(last + 1).join('');
}

/** A display name (RFC 5322 §3.2.5 phrase): bare, quoted or encoded, whichever it needs. */
export function encodePhrase(text: string): string {
  const phrase = text.trim();
  if (!isAscii(phrase) || phrase.length > PLAIN_WORD_MAX) return encodeWords(phrase);
  if (phrase === '' || ATOMS.test(phrase)) return phrase;
  return quoted(phrase);
}

export function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** RFC 2231 where the value needs it: `; filename*0*=utf-8''…`. Each parameter is a word of its own for folding. */
export function writeParam(name: string, value: string): string {
  if (isAscii(value) && value.length <= 60) return `; ${name}=${quoted(value)}`;
  return mimeFuncs
    .buildHeaderParam(name, value, 50)
    .map(({ key, value: piece }) => `; ${key}=${/^[\w!#$&+\-.^`|~%'*]+$/.test(piece) ? piece : quoted(piece)}`)
    .join('');
}

function encodeWords(text: string): string {
  const bytes = Buffer.byteLength(text);
  const others = bytes - (text.match(/[A-Za-z0-9 !*+\-/]/g)?.length ?? 0);
  return mimeFuncs.encodeWord(text, others * 3 + (bytes - others) <= bytes * 1.4 ? 'Q' : 'B', ENCODED_TEXT_MAX);
}
