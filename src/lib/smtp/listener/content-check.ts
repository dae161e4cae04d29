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
    if (hasBareLf(chunk, start)) return refusals.lineBreak;
    const last = chunk.length - 1;
    let lineBytes = this.#lineBytes;
    let cr = chunk.indexOf(CR, start);
    while (cr !== -1 && cr < last) {
      if (chunk[cr + 1] !== LF) return refusals.lineBreak;
      if (lineBytes + cr - start > limits.smtpTextLineBytes) return refusals.longLine;
      lineBytes = 0;
      start = cr + 2;
      cr = chunk.indexOf(CR, start);
    }
    this.#endsWithCr = cr !== -1;
    this.#lineBytes = lineBytes + (cr === -1 ? chunk.length : cr) - start;
    return this.#lineBytes > limits.smtpTextLineBytes ? refusals.longLine : undefined;
  }
}

/** An LF without a CR right before it; the one that belongs to a CR before `from` is not among those that are looked at. */
function hasBareLf(chunk: Buffer, from: number): boolean {
  for (let lf = chunk.indexOf(LF, from); lf !== -1; lf = chunk.indexOf(LF, lf + 1)) {
    if (chunk[lf - 1] !== CR) return true;
  }
  return false;
}
