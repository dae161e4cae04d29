/**
 * Bytes as they will be on the wire: the SMTP client makes CRLF of a lone CR or LF, because nobody may send those (RFC 5321 §2.3.8), and a
 * signature is made over what is sent (RFC 6376 §5.3). What an application handed over or a file holds may have only LF.
 */

const LONE_LINE_END = /\r(?!\n)|(?<!\r)\n/g;
const CR = 0x0d;
const LF = 0x0a;

export class WireLines {
  readonly #onward: (bytes: Buffer) => void;
  /** A CR at the end of a chunk may be half of a line end. */
  #holdsCr = false;

  constructor(onward: (bytes: Buffer) => void) {
    this.#onward = onward;
  }

  update(chunk: Buffer): void {
    if (chunk.length === 0) return;
    let bytes = this.#holdsCr ? Buffer.concat([Buffer.of(CR), chunk]) : chunk;
    this.#holdsCr = bytes.at(-1) === CR;
    if (this.#holdsCr) bytes = bytes.subarray(0, -1);
    this.#onward(withCrlf(bytes));
  }

  end(): void {
    if (this.#holdsCr) this.#onward(Buffer.of(CR, LF));
  }
}

function withCrlf(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const fixed = text.replace(LONE_LINE_END, '\r\n');
  return fixed.length === text.length && fixed === text ? bytes : Buffer.from(fixed, 'latin1');
}
