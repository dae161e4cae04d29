/** Collects the lines of one header block into unfolded fields, and notes what is wrong with them. */
import { isUtf8 } from 'node:buffer';
import type { HeaderField } from '../headers.ts';
import type { HeaderCharset, MimeDefect } from './part.ts';

/** RFC 5322 §2.2: printable ASCII but the colon; white space before the colon is obsolete (§4.5) and still read. */
const FIELD = /^([!-9;-~]+)([ \t]*):(.*)$/s;
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/;

export type LineKind = 'field' | 'continuation' | 'other';

/** What a line of a header is, without its line end. */
export function lineKind(line: string): LineKind {
  if (line.startsWith(' ') || line.startsWith('\t')) return 'continuation';
  return FIELD.test(line) ? 'field' : 'other';
}

export class HeaderBlock {
  readonly defects = new Set<MimeDefect>();
  #charset: HeaderCharset = 'ascii';
  readonly #fields: { readonly name: string; readonly lines: string[] }[] = [];
  /** What the next continuation belongs to: nothing, after a line that was left out. */
  #open: { readonly lines: string[] } | undefined;
  #lineCount = 0;

  get charset(): HeaderCharset {
    return this.#charset;
  }

  get fieldCount(): number {
    return this.#fields.length;
  }

  /** A line without its line end, a character for each byte. `mayAdd`: there is room for another field. */
  add(line: string, mayAdd: boolean): void {
    this.#noteBytes(line);
    const kind = lineKind(line);
    if (kind === 'continuation') {
      if (this.#lineCount === 0) this.defects.add('strayContinuation');
      this.#open?.lines.push(line);
    } else if (kind === 'field') {
      this.#addField(line, mayAdd);
    } else {
      this.#open = undefined;
      this.defects.add(line.startsWith('From ') ? 'envelopeLine' : 'lineWithoutColon');
    }
    this.#lineCount += 1;
  }

  fields(): readonly HeaderField[] {
    return this.#fields.map(({ name, lines }) => ({ name, value: textOf(lines.join('')) }));
  }

  #addField(line: string, mayAdd: boolean): void {
    const [, name = '', space = '', value = ''] = FIELD.exec(line) ?? [];
    if (space !== '') this.defects.add('spaceBeforeColon');
    this.#open = undefined;
    if (!mayAdd) {
      this.defects.add('tooManyHeaders');
      return;
    }
    const field = { name, lines: [value] };
    this.#fields.push(field);
    this.#open = field;
  }

  #noteBytes(line: string): void {
    if (CONTROL.test(line)) this.defects.add('controlCharacter');
    if (this.#charset === 'other' || !/[^\u0000-\u007f]/.test(line)) return;
    this.#charset = isUtf8(Buffer.from(line, 'latin1')) ? 'utf8' : 'other';
  }
}

/** UTF-8 where it is (RFC 6532), else Latin-1, so that no byte is lost. White space at the ends says nothing. */
function textOf(bytes: string): string {
  const trimmed = trimSpace(bytes);
  if (!/[^\u0000-\u007f]/.test(trimmed)) return trimmed;
  const buffer = Buffer.from(trimmed, 'latin1');
  return isUtf8(buffer) ? buffer.toString('utf8') : trimmed;
}

/** By index: a pattern anchored at the end is slow over long runs of spaces. */
function trimSpace(text: string): string {
  const isSpace = (at: number): boolean => text[at] === ' ' || text[at] === '\t';
  let from = 0;
  let to = text.length;
  while (from < to && isSpace(from)) from += 1;
  while (to > from && isSpace(to - 1)) to -= 1;
  return text.slice(from, to);
}
