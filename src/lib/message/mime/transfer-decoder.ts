/**
 * Undoes Content-Transfer-Encoding (RFC 2045 §6) while the content streams by. What is not encoded as it should be is decoded as far as it
 * goes; an encoding nobody knows changes nothing.
 */

export interface TransferDecoder {
  /** The decoded bytes so far; may be a part of `bytes` itself. */
  write(bytes: Buffer): Buffer;
  /** What was held back for the bytes that did not come. */
  end(): Buffer;
  /** The content was not what the encoding promises; final after `end`. */
  readonly isFaulty: boolean;
}

const NOTHING = Buffer.alloc(0);
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const EQUALS = 0x3d;

export function transferDecoder(encoding: string): TransferDecoder {
  if (encoding === 'base64') return new Base64Decoder();
  if (encoding === 'quoted-printable') return new QuotedPrintableDecoder();
  return { write: (bytes) => bytes, end: () => NOTHING, isFaulty: false };
}

/** Kinds of bytes in base64 text beside the values 0 to 63. */
const SPACING = 64;
const PADDING = 65;
const STRANGE = 66;

const KINDS = new Uint8Array(256).fill(STRANGE);
for (const space of ' \t\r\n') KINDS[space.charCodeAt(0)] = SPACING;
KINDS[EQUALS] = PADDING;
for (const [value, char] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) {
  KINDS[char.charCodeAt(0)] = value;
}

class Base64Decoder implements TransferDecoder {
  isFaulty = false;
  /** Characters of an unfinished group of four, and their bits. */
  #count = 0;
  #bits = 0;
  #isPadded = false;

  /** Whole lines are left to the platform, which is several times faster; only their ends are looked at here. */
  write(bytes: Buffer): Buffer {
    const head = this.#count === 0 ? 0 : bytes.indexOf(LF) + 1;
    const before = head === 0 ? NOTHING : this.#decode(bytes.subarray(0, head));
    const tail = bytes.lastIndexOf(LF) + 1;
    const lines =
      this.#count === 0 && !this.#isPadded && tail > head ? wholeLines(bytes.subarray(head, tail)) : undefined;
    if (lines === undefined) return joined(before, this.#decode(bytes.subarray(head)));
    return joined(before, lines, this.#decode(bytes.subarray(tail)));
  }

  end(): Buffer {
    if (this.#count !== 0) this.isFaulty = true;
    return this.#flush();
  }

  #decode(bytes: Buffer): Buffer {
    const out = Buffer.allocUnsafe(Math.floor(((bytes.length + this.#count) * 3) / 4) + 3);
    let written = 0;
    for (const byte of bytes) {
      const value = KINDS[byte] ?? STRANGE;
      if (value < SPACING) {
        if (this.#isPadded) this.isFaulty = true;
        this.#bits = (this.#bits << 6) | value;
        this.#count += 1;
        if (this.#count < 4) continue;
        out[written] = this.#bits >> 16;
        out[written + 1] = this.#bits >> 8;
        out[written + 2] = this.#bits;
        written += 3;
        this.#bits = 0;
        this.#count = 0;
      } else if (value === PADDING) {
        written += this.#pad().copy(out, written);
      } else if (value === STRANGE) {
        this.isFaulty = true;
      }
    }
    return out.subarray(0, written);
  }

  /** `==` after two characters, `=` after three, and nothing but white space after that. */
  #pad(): Buffer {
    if (this.#count === 0) {
      if (!this.#isPadded) this.isFaulty = true;
      return NOTHING;
    }
    this.#isPadded = true;
    return this.#flush();
  }

  #flush(): Buffer {
    const whole = Math.floor((this.#count * 6) / 8);
    if (this.#count === 1) this.isFaulty = true;
    const bits = this.#bits << (6 * (4 - this.#count));
    this.#count = 0;
    this.#bits = 0;
    return Buffer.from([bits >> 16, bits >> 8, bits]).subarray(0, whole);
  }
}

/** Decodes lines that are nothing but base64 in groups of four; `undefined` when they are anything else. */
function wholeLines(bytes: Buffer): Buffer | undefined {
  let ends = 0;
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) ends += bytes[at - 1] === CR ? 2 : 1;
  const chars = bytes.length - ends;
  // These two are the alphabet of URLs, which the platform takes as well.
  if (chars % 4 !== 0 || bytes.includes(0x2d) || bytes.includes(0x5f)) return undefined;
  const decoded = Buffer.from(bytes.toString('latin1'), 'base64');
  // The platform skips what it does not know, so that any stranger makes the result shorter.
  return decoded.length === (chars / 4) * 3 ? decoded : undefined;
}

/** White space that may stand between the `=` of a soft line break and its line end. */
const SOFT_BREAK_SPACES = 64;

/** What a `=` means: a byte, a line end that is none (-1), or itself. */
interface Escape {
  readonly byte: number;
  readonly next: number;
}

class QuotedPrintableDecoder implements TransferDecoder {
  readonly isFaulty = false;
  /** An escape whose end has not come yet. */
  #rest = NOTHING;

  write(bytes: Buffer): Buffer {
    return this.#decode(joined(this.#rest, bytes), false);
  }

  end(): Buffer {
    return this.#decode(this.#rest, true);
  }

  #decode(bytes: Buffer, isLast: boolean): Buffer {
    this.#rest = NOTHING;
    const first = bytes.indexOf(EQUALS);
    if (first === -1) return bytes;
    const out = Buffer.allocUnsafe(bytes.length);
    let written = bytes.copy(out, 0, 0, first);
    for (let at = first; at < bytes.length; ) {
      const byte = bytes[at] as number;
      const found = byte === EQUALS ? escapeAt(bytes, at, isLast) : undefined;
      if (found === 'unfinished') {
        this.#rest = Buffer.from(bytes.subarray(at));
        break;
      }
      if (found === undefined || found.byte >= 0) {
        out[written] = found?.byte ?? byte;
        written += 1;
      }
      at = found?.next ?? at + 1;
    }
    return out.subarray(0, written);
  }
}

/** `undefined` for what only looks like an escape, which stays as it is. */
function escapeAt(bytes: Buffer, at: number, isLast: boolean): Escape | 'unfinished' | undefined {
  const high = hexDigit(bytes[at + 1]);
  if (high !== -1) {
    if (at + 2 >= bytes.length && !isLast) return 'unfinished';
    const low = hexDigit(bytes[at + 2]);
    return low === -1 ? undefined : { byte: high * 16 + low, next: at + 3 };
  }
  let end = at + 1;
  while (end - at <= SOFT_BREAK_SPACES && (bytes[end] === SPACE || bytes[end] === TAB)) end += 1;
  if (bytes[end] === CR) end += 1;
  // RFC 2045 §6.7: a `=` that nothing follows is a soft line break too.
  if (end >= bytes.length) return isLast ? { byte: -1, next: end } : 'unfinished';
  return bytes[end] === LF ? { byte: -1, next: end + 1 } : undefined;
}

function hexDigit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

function joined(...pieces: readonly Buffer[]): Buffer {
  const filled = pieces.filter(({ length }) => length > 0);
  return filled.length <= 1 ? (filled[0] ?? NOTHING) : Buffer.concat(filled);
}
