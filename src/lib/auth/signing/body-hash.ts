/**
 * The hash of a message's body for a signature, canonicalised while it streams past (RFC 6376 §3.4.3 and §3.4.4), in memory that does not
 * grow with the message.
 */
import { createHash, type Hash } from 'node:crypto';

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

export function bodyHash(how: BodyCanonicalization): BodyHash {
  const lines = new TrailingLines();
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
  readonly #hash: Hash = createHash('sha256');
  #heldPairs = 0;
  #holdsCr = false;
  /** Nothing but line ends has come. */
  isEmpty = true;

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
    return this.#hash.update(ending).digest('base64');
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
    const text = (this.#held + chunk.toString('latin1')).replace(/[ \t]+/g, ' ').replaceAll(' \r\n', '\r\n');
    this.#held = /(?: \r?|\r)$/.exec(text)?.[0] ?? '';
    this.#onward(Buffer.from(text.slice(0, text.length - this.#held.length), 'latin1'));
  }

  end(): void {
    // The message may lack its last line end: spaces there are at the end of a line too.
    this.#onward(Buffer.from(this.#held === ' ' ? '' : this.#held, 'latin1'));
  }
}
