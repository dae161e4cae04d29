/** Turns the bytes a server sends into replies (RFC 5321 §4.2), whatever the segments look like, and bounds what one reply may cost. */
import { limits } from '../../core/limits.ts';
import { lineResponse, type Response, responseFromText } from '../../core/response.ts';

/** A code, then `-` when more lines follow. A bare code is tolerated, as RFC 5321 §4.2 asks of clients. */
const LINE = /^([2-5]\d\d)(?:([ -])(.*))?$/s;
const TOO_LONG = 'the reply is too long';
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TILDE = 0x7e;
const DIGIT_0 = 0x30;
/** Longer lines are rare, and have a limit that is looked after elsewhere. */
const SIMPLE_MAX_BYTES = 512;

export class ReplyParser {
  /** Bytes of the line that is not complete yet. */
  #parts: Buffer[] = [];
  /** Texts of the reply that is not complete yet. */
  #texts: string[] = [];
  #bytes = 0;

  /** Nothing of a next reply has been seen. */
  get isEmpty(): boolean {
    return this.#parts.length === 0 && this.#texts.length === 0;
  }

  /**
   * Reads the first `length` bytes and adds the replies that are complete now to `replies`. Answers with what is wrong when something is;
   * nothing the server sends after that has a meaning. The memory is the caller's again afterwards.
   */
  feed(bytes: Buffer, length: number, replies: Response[]): string | undefined {
    let start = 0;
    for (let end = bytes.indexOf(LF); end !== -1 && end < length; end = bytes.indexOf(LF, start)) {
      let response = this.isEmpty ? simpleReply(bytes, start, end) : undefined;
      if (response === undefined) {
        const line = this.#complete(bytes.subarray(start, end));
        if (this.#bytes > limits.smtpReplyBytes) return TOO_LONG;
        const match = LINE.exec(line);
        if (match === null) return 'the reply has no reply code';
        this.#texts.push(match[3] ?? '');
        if (match[2] !== '-') response = this.#finish(Number(match[1]));
      }
      start = end + 1;
      if (response !== undefined) replies.push(response);
    }
    return start === length ? undefined : this.#keep(bytes.subarray(start, length));
  }

  #keep(part: Buffer): string | undefined {
    this.#parts.push(Buffer.from(part));
    this.#bytes += part.length;
    return this.#bytes > limits.smtpReplyBytes ? TOO_LONG : undefined;
  }

  #complete(last: Buffer): string {
    const line = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]);
    this.#parts = [];
    this.#bytes += last.length + 1;
    return printable(line.toString('utf8'));
  }

  /** When the lines of one reply disagree on the code, the last one counts: it is the one that ends the reply. */
  #finish(code: number): Response {
    const text = this.#texts.join('\n');
    this.#texts = [];
    this.#bytes = 0;
    return responseFromText(code, text);
  }
}

/** A reply of one line of plain ASCII, which nearly all are: nothing in it has to be decoded, defused or put together. */
function simpleReply(chunk: Buffer, start: number, end: number): Response | undefined {
  const last = end - 1;
  if (last < start + 4 || last - start > SIMPLE_MAX_BYTES || chunk[last] !== CR || chunk[start + 3] !== SPACE)
    return undefined;
  for (let i = start; i < last; i += 1) {
    const byte = chunk[i] as number;
    if (byte < SPACE || byte > TILDE) return undefined;
  }
  const code = digit(chunk, start) * 100 + digit(chunk, start + 1) * 10 + digit(chunk, start + 2);
  return code >= 200 && code <= 599 ? lineResponse(code, chunk.toString('latin1', start + 4, last)) : undefined;
}

/** Something that is no digit makes a code that is none. */
function digit(chunk: Buffer, at: number): number {
  const value = (chunk[at] as number) - DIGIT_0;
  return value >= 0 && value <= 9 ? value : Number.NaN;
}

/** Takes the CR of the line end off and defuses other control characters: the text travels on to logs and to other SMTP sessions. */
function printable(line: string): string {
  const end = line.endsWith('\r') ? line.length - 1 : line.length;
  return line.slice(0, end).replace(/[\u0000-\u0008\u000a-\u001f\u007f]/g, '?');
}
