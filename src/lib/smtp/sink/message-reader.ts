/** Collects the bytes of a message from a connection: up to the final dot, or up to a length. */

const END = Buffer.from('\r\n.\r\n');
const STUFFED = Buffer.from('\r\n.');
const DOT = 0x2e;
/** `.` CRLF. */
const DOT_LINE_BYTES = 3;

/** What came behind the message in the same chunk. */
export interface Completed {
  readonly message: Buffer;
  readonly rest: Buffer;
}

/** Reads DATA (RFC 5321 §4.5.2): only CRLF "." CRLF ends it. */
export class DataReader {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  /** The last bytes seen, where the end may have begun. The end of the line before the message counts. */
  #tail: Buffer = END.subarray(0, 2);
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Nothing is kept of such a message, but its end still has to be found. */
  get isTooLarge(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  /** The whole message without its stuffing, as soon as its end is there. */
  feed(chunk: Buffer): Completed | undefined {
    const window = Buffer.concat([this.#tail, chunk]);
    const found = window.indexOf(END);
    const end = found === -1 ? chunk.length : found + END.length - this.#tail.length;
    this.#bytes += end;
    if (this.isTooLarge) this.#chunks = [];
    else this.#chunks.push(chunk.subarray(0, end));
    if (found === -1) {
      this.#tail = window.subarray(Math.max(0, window.length - (END.length - 1)));
      return undefined;
    }
    const all = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    // The CRLF before the dot belongs to the message, or to the command when the message is empty.
    return { message: unstuffed(all.subarray(0, -DOT_LINE_BYTES)), rest: chunk.subarray(end) };
  }
}

/** Takes the first dot off each line that begins with one. */
export function unstuffed(data: Buffer): Buffer {
  const isFirstStuffed = data[0] === DOT;
  let at = data.indexOf(STUFFED);
  if (!isFirstStuffed && at === -1) return data;
  const out = Buffer.allocUnsafe(data.length);
  let from = isFirstStuffed ? 1 : 0;
  let to = 0;
  for (; at !== -1; at = data.indexOf(STUFFED, from)) {
    to += data.copy(out, to, from, at + 2);
    from = at + 3;
  }
  to += data.copy(out, to, from);
  return out.subarray(0, to);
}

/** Reads the octets of one BDAT chunk (RFC 3030); of more than `maxBytes` it keeps nothing. */
export class ChunkReader {
  readonly #chunks: Buffer[] = [];
  readonly #keeps: boolean;
  #missing: number;

  constructor(bytes: number, maxBytes: number) {
    this.#missing = bytes;
    this.#keeps = bytes <= maxBytes;
  }

  feed(chunk: Buffer): Completed | undefined {
    const mine = chunk.subarray(0, this.#missing);
    if (this.#keeps) this.#chunks.push(mine);
    this.#missing -= mine.length;
    if (this.#missing > 0) return undefined;
    return { message: Buffer.concat(this.#chunks), rest: chunk.subarray(mine.length) };
  }
}
