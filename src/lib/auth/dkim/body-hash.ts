/**
 * The hash of a message's body for a signature, canonicalised while it streams past (RFC 6376 §3.4.3 and §3.4.4), in memory that does not
 * grow with the message.
 */
import { createHash } from 'node:crypto';

export type BodyCanonicalization = 'relaxed' | 'simple';

const CR = 0x0d;
const LF = 0x0a;
const CRLF = Buffer.from('\r\n');
const MANY_CRLF = Buffer.from('\r\n'.repeat(4096));

/** SHA-256 of what is written, once `digest` is asked for. */
export interface BodyHash {
  update(bytes: Buffer): void;
  /** Base64. */
  digest(): string;
}

/** Where the canonical bytes go. */
export interface HashSink {
  update(bytes: Buffer): unknown;
  digest(encoding: 'base64'): string;
}

export function bodyHash(how: BodyCanonicalization, sink: HashSink = createHash('sha256')): BodyHash {
  const lines = new TrailingLines(sink);
  if (how === 'simple') {
    return { update: (bytes) => lines.update(bytes), digest: () => lines.digest(CRLF) };
  }
  const spaces = new Spaces((bytes) => lines.update(bytes));
  return {
    update: (bytes) => spaces.update(bytes),
    digest: () => {
      spaces.end();
      // An empty body stays empty here, and is one line end with `simple`.
      return lines.digest(lines.isEmpty ? Buffer.alloc(0) : CRLF);
    },
  };
}

/** Holds line ends back until something follows them: those at the very end count as one. */
class TrailingLines {
  readonly #hash: HashSink;
  #heldPairs = 0;
  #holdsCr = false;
  /** Nothing but line ends has come. */
  isEmpty = true;

  constructor(hash: HashSink) {
    this.#hash = hash;
  }

  update(chunk: Buffer): void {
    if (chunk.length === 0) return;
    let bytes = this.#holdsCr ? Buffer.concat([CRLF.subarray(0, 1), chunk]) : chunk;
    this.#holdsCr = bytes.at(-1) === CR;
    if (this.#holdsCr) bytes = bytes.subarray(0, -1);
    let end = bytes.length;
    while (end >= 2 && bytes[end - 1] === LF && bytes[end - 2] === CR) end -= 2;
    if (end > 0) {
      this.#releasePairs();
      this.isEmpty = false;
      this.#hash.update(bytes.subarray(0, end));
    }
    this.#heldPairs += (bytes.length - end) / 2;
  }

  digest(ending: Buffer): string {
    if (this.#holdsCr) {
      this.#releasePairs();
      this.isEmpty = false;
      this.#hash.update(CRLF.subarray(0, 1));
    }
    this.#hash.update(ending);
    return this.#hash.digest('base64');
  }

  #releasePairs(): void {
    let left = this.#heldPairs * 2;
    for (; left > 0; left -= MANY_CRLF.length) this.#hash.update(MANY_CRLF.subarray(0, left));
    this.#heldPairs = 0;
  }
}

/** Makes runs of spaces and tabs one space, and none at the end of a line; what might still be one is held back. */
class Spaces {
  readonly #onward: (bytes: Buffer) => void;
  #held = '';

  constructor(onward: (bytes: Buffer) => void) {
    this.#onward = onward;
  }

  update(chunk: Buffer): void {
    // Single spaces, which most bodies are full of, match nothing here.
    const text = (this.#held + chunk.toString('latin1')).replace(/ [ \t]+|\t[ \t]*/g, ' ').replaceAll(' \r\n', '\r\n');
    this.#held = [' \r', ' ', '\r'].find((end) => text.endsWith(end)) ?? '';
    this.#onward(Buffer.from(text.slice(0, text.length - this.#held.length), 'latin1'));
  }

  end(): void {
    // The message may lack its last line end: spaces there are at the end of a line too.
    this.#onward(Buffer.from(this.#held === ' ' ? '' : this.#held, 'latin1'));
  }
}
