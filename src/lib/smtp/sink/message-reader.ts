/** Collects the bytes of a message from a connection: up to the final dot, or up to a length. */

const END = Buffer.from('\r\n.\r\n');
const STUFFED = Buffer.from('\r\n.');
const DOT = 0x2e;

/** What came behind the message in the same chunk. */
export interface Completed {
  readonly message: Buffer;
  readonly rest: Buffer;
}

/** Reads DATA (RFC 5321 §4.5.2): only CRLF "." CRLF ends it. */
export class DataReader {
  #chunks: Buffer[] = [];
  /** The last bytes seen, where the end may have begun. The line before the message counts. */
  #tail: Buffer = END.subarray(0, 2);
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** The whole message without its stuffing, as soon as its end is there. */
  feed(chunk: Buffer): Completed | undefined {
    const window = Buffer.concat([this.#tail, chunk]);
    const found = window.indexOf(END);
    if (found === -1) {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
      this.#tail = window.subarray(Math.max(0, window.length - (END.length - 1)));
      return undefined;
    }
    const end = found + END.length - this.#tail.length;
    this.#chunks.push(chunk.subarray(0, end));
    // The CRLF before the dot belongs to the message, unless the message is empty and it is the one of the command.
    const all = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    return { message: unstuffed(all.subarray(0, all.length - 3)), rest: chunk.subarray(end) };
  }

  /** Forgets what was collected, to go on looking for the end of a message that is too large. */
  discard(): void {
    this.#chunks = [];
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

/** Reads the octets of one BDAT chunk (RFC 3030). */
export class ChunkReader {
  readonly #chunks: Buffer[] = [];
  #missing: number;

  constructor(bytes: number) {
    this.#missing = bytes;
  }

  feed(chunk: Buffer): Completed | undefined {
    const mine = chunk.subarray(0, this.#missing);
    this.#chunks.push(mine);
    this.#missing -= mine.length;
    if (this.#missing > 0) return undefined;
    return { message: Buffer.concat(this.#chunks), rest: chunk.subarray(mine.length) };
  }
}
