/**
 * Takes the transparency of DATA off again (RFC 5321 §4.5.2): finds the CRLF.CRLF that ends the message, and removes the first dot of every
 * line that begins with one. Nothing else ends a message; what stands between bare line breaks is left as it is, for `ContentCheck`.
 */

export interface Decoded {
  readonly content: Buffer;
  /** What follows the end of the message; absent while it has not ended. */
  readonly rest?: Buffer;
}

const LF = 0x0a;
const CR = 0x0d;
const DOT = 0x2e;
const LF_DOT = Buffer.from('\n.');
/** Up to here, a loop is faster than a call. */
const NEAR_BYTES = 32;
const NOTHING = Buffer.alloc(0);

export class DotDecoder {
  /** A dot, or a dot and a CR, at the beginning of a line: the next chunk says what they mean. */
  #held: Buffer = NOTHING;
  #isAtLineStart = true;
  #endsWithCr = false;
  readonly #ownsChunks: boolean;

  /** `ownsChunks`: nobody else looks at what is given to `decode`, so bytes may be moved in it, which spares a copy. */
  constructor(ownsChunks = false) {
    this.#ownsChunks = ownsChunks;
  }

  decode(chunk: Buffer): Decoded {
    if (chunk.length === 0) return { content: NOTHING };
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = NOTHING;
    const kept = new Keeper(bytes, this.#ownsChunks);
    let dot = this.#isAtLineStart && bytes[0] === DOT ? 0 : this.#nextDot(bytes, 0);
    while (dot !== -1) {
      const next = bytes[dot + 1];
      const afterNext = bytes[dot + 2];
      if (next === CR && afterNext === LF) return { content: kept.upTo(dot), rest: bytes.subarray(dot + 3) };
      if (next === undefined || (next === CR && afterNext === undefined)) {
        this.#held = Buffer.from(bytes.subarray(dot));
        this.#isAtLineStart = true;
        return { content: kept.upTo(dot) };
      }
      kept.skip(dot);
      dot = this.#nextDot(bytes, dot + 1);
    }
    this.#rememberEnd(bytes);
    return { content: kept.upTo(bytes.length) };
  }

  /** Index of the next dot that begins a line, or -1. */
  #nextDot(bytes: Buffer, from: number): number {
    for (let lf = indexOfLfDot(bytes, from); lf !== -1; lf = indexOfLfDot(bytes, lf + 1)) {
      const isLineEnd = lf === 0 ? this.#endsWithCr : bytes[lf - 1] === CR;
      if (isLineEnd) return lf + 1;
    }
    return -1;
  }

  #rememberEnd(bytes: Buffer): void {
    const isCrBefore = bytes.length > 1 ? bytes.at(-2) === CR : this.#endsWithCr;
    this.#isAtLineStart = bytes.at(-1) === LF && isCrBefore;
    this.#endsWithCr = bytes.at(-1) === CR;
  }
}

/**
 * Ordinary text is searched at the speed of memory. A call costs as much as looking at some dozen bytes, though, and a message may be made of
 * nothing but dots, so the nearest bytes are looked at one by one.
 */
function indexOfLfDot(bytes: Buffer, from: number): number {
  const near = Math.min(bytes.length - 1, from + NEAR_BYTES);
  for (let i = from; i < near; i += 1) if (bytes[i] === LF && bytes[i + 1] === DOT) return i;
  return near <= from ? bytes.indexOf(LF_DOT, from) : bytes.indexOf(LF_DOT, near);
}

/** The bytes of one chunk without some single ones: what is behind the first of them moves up, in the chunk itself or in a copy of it. */
class Keeper {
  readonly #bytes: Buffer;
  readonly #ownsBytes: boolean;
  #kept: Buffer;
  #filled = 0;
  #from = 0;

  constructor(bytes: Buffer, ownsBytes: boolean) {
    this.#bytes = bytes;
    this.#ownsBytes = ownsBytes;
    this.#kept = bytes;
  }

  skip(index: number): void {
    if (this.#from === 0 && !this.#ownsBytes) this.#kept = Buffer.from(this.#bytes);
    this.#keep(index);
    this.#from = index + 1;
  }

  upTo(end: number): Buffer {
    this.#keep(end);
    return this.#kept.subarray(0, this.#filled);
  }

  #keep(end: number): void {
    const kept = this.#kept;
    const to = this.#filled;
    const from = this.#from;
    this.#filled += end - from;
    if (to === from) return;
    if (end - from > NEAR_BYTES) kept.copyWithin(to, from, end);
    else for (let i = from; i < end; i += 1) kept[to + i - from] = kept[i] as number;
  }
}
