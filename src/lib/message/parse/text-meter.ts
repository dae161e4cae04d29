/**
 * Measures the text of one part while it streams by: which charset it turns out to be, and how long it is as UTF-8 with LF. Text that is
 * short enough is kept, the rest is read again when somebody wants it.
 */

import { isAscii } from 'node:buffer';
import { TextDecoder } from 'node:util';
import type { Charset } from '../mime/charset.ts';
import { type TextCharset, UnicodeText } from '../mime/unicode-text.ts';

export interface MeasuredText {
  readonly charset: TextCharset;
  readonly sizeBytes: number;
  /** The whole text, when it is smaller than was asked for. */
  readonly text?: string;
}

export interface TextMeter {
  write(bytes: Buffer): void;
  end(): MeasuredText;
}

/** `keepBelow`: a text of fewer bytes is kept. */
export function textMeter(charset: Charset, keepBelow: number): TextMeter {
  return charset.kind === 'known' ? new KnownMeter(charset, keepBelow) : new GuessMeter(keepBelow);
}

/** Pieces that add up to less than a bound; nothing once they do not. */
class Kept {
  #pieces: Buffer[] = [];
  #size = 0;
  readonly #below: number;

  constructor(below: number) {
    this.#below = below;
  }

  /** A copy is kept: the memory is somebody else's. */
  add(bytes: Buffer): void {
    this.#size += bytes.length;
    if (this.#size < this.#below) this.#pieces.push(Buffer.from(bytes));
    else this.#pieces = [];
  }

  bytes(): Buffer | undefined {
    return this.#size < this.#below ? Buffer.concat(this.#pieces) : undefined;
  }
}

class KnownMeter implements TextMeter {
  readonly #charset: TextCharset;
  readonly #text: UnicodeText;
  readonly #kept: Kept;
  #size = 0;

  constructor(charset: { readonly name: string }, keepBelow: number) {
    this.#charset = { name: charset.name };
    this.#text = new UnicodeText(charset);
    this.#kept = new Kept(keepBelow);
  }

  write(bytes: Buffer): void {
    this.#take(this.#text.write(bytes));
  }

  end(): MeasuredText {
    this.#take(this.#text.end());
    const text = this.#kept.bytes()?.toString();
    return { charset: this.#charset, sizeBytes: this.#size, ...(text !== undefined && { text }) };
  }

  #take(bytes: Buffer): void {
    this.#size += bytes.length;
    this.#kept.add(bytes);
  }
}

const LF = 0x0a;
const CR = 0x0d;

/** UTF-8 or Latin-1: both have a size that follows from the bytes, so nothing is decoded before the choice is made. */
class GuessMeter implements TextMeter {
  readonly #keepBelow: number;
  readonly #kept: Kept;
  #size = 0;
  #crlfs = 0;
  #highBytes = 0;
  #last = 0;
  /** Checks only; gone once the bytes are no UTF-8. */
  #utf8: TextDecoder | undefined = new TextDecoder('utf-8', { fatal: true });

  constructor(keepBelow: number) {
    this.#keepBelow = keepBelow;
    // Each CRLF shrinks to one byte, so the bytes may be up to twice as many as the text.
    this.#kept = new Kept(keepBelow * 2);
  }

  write(bytes: Buffer): void {
    this.#size += bytes.length;
    for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) {
      if ((at === 0 ? this.#last : bytes[at - 1]) === CR) this.#crlfs += 1;
    }
    this.#last = bytes.at(-1) ?? this.#last;
    this.#kept.add(bytes);
    if (this.#highBytes > 0 || !isAscii(bytes)) this.#check(bytes);
  }

  end(): MeasuredText {
    if (this.#highBytes > 0) this.#decode();
    const charset: TextCharset = this.#utf8 === undefined ? 'latin1' : { name: 'utf-8' };
    const sizeBytes = this.#size - this.#crlfs + (charset === 'latin1' ? this.#highBytes : 0);
    const bytes = sizeBytes < this.#keepBelow ? this.#kept.bytes() : undefined;
    if (bytes === undefined) return { charset, sizeBytes };
    const whole = new UnicodeText(charset);
    return { charset, sizeBytes, text: Buffer.concat([whole.write(bytes), whole.end()]).toString() };
  }

  #check(bytes: Buffer): void {
    for (const byte of bytes) if (byte > 0x7f) this.#highBytes += 1;
    this.#decode(bytes);
  }

  #decode(bytes?: Buffer): void {
    try {
      this.#utf8?.decode(bytes, { stream: bytes !== undefined });
    } catch {
      // Not UTF-8: that is the answer this was asked for.
      this.#utf8 = undefined;
    }
  }
}
