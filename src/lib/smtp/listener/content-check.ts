/**
 * Looks for what must not be in a message: NUL, a CR or LF on its own, and endless lines (RFC 5321 §2.3.8, §4.5.3.1.6). A bare line break is a line
 * end to some and not to others, which is how a second message is smuggled past the first, so such a message is refused whole.
 */
import { limits } from '../../core/limits.ts';
import { type Response, reply } from '../../core/response.ts';

const LF = 0x0a;
const CR = 0x0d;

const refusals = {
  nul: reply(554, '5.6.0', 'message contains a NUL octet'),
  lineBreak: reply(554, '5.6.0', 'message contains a bare CR or LF: lines must end with CRLF'),
  longLine: reply(554, '5.6.0', 'message contains a line that is too long'),
} as const;

export class ContentCheck {
  #refusal: Response | undefined;
  #endsWithCr = false;
  #lineBytes = 0;

  /** Why the message is refused, as far as it has been seen. */
  get refusal(): Response | undefined {
    return this.#refusal;
  }

  /** Looks at the next bytes of the decoded message. */
  inspect(chunk: Buffer): void {
    if (this.#refusal !== undefined || chunk.length === 0) return;
    this.#refusal = chunk.includes(0) ? refusals.nul : this.#inspectLines(chunk);
  }

  /** The message is complete: a CR at its very end was a bare one. */
  finish(): void {
    if (this.#endsWithCr) this.#refusal ??= refusals.lineBreak;
  }

  #inspectLines(chunk: Buffer): Response | undefined {
    let start = 0;
    if (this.#endsWithCr) {
      if (chunk[0] !== LF) return refusals.lineBreak;
      start = 1;
      this.#lineBytes = 0;
    }
    for (;;) {
      const cr = nextByte(chunk, CR, start);
      const lf = nextByte(chunk, LF, start);
      const end = cr === -1 ? chunk.length : cr;
      // The first LF is to be right behind the first CR.
      const isCrlf = lf === -1 ? end >= chunk.length - 1 : lf === cr + 1 && cr !== -1;
      if (!isCrlf) return refusals.lineBreak;
      this.#lineBytes += end - start;
      if (this.#lineBytes > limits.smtpTextLineBytes) return refusals.longLine;
      this.#endsWithCr = end === chunk.length - 1;
      if (end >= chunk.length - 1) return undefined;
      this.#lineBytes = 0;
      start = end + 2;
    }
  }
}

/** A search costs as much as looking at a dozen bytes, and a line may be empty: look there first. */
function nextByte(chunk: Buffer, byte: number, from: number): number {
  if (chunk[from] === byte) return from;
  if (chunk[from + 1] === byte) return from + 1;
  return chunk.indexOf(byte, from + 2);
}
