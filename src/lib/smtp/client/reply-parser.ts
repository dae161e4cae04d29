/** Turns the bytes a server sends into replies (RFC 5321 §4.2), whatever the segments look like, and bounds what one reply may cost. */
import { limits } from '../../core/limits.ts';
import { type Response, responseFromText } from '../../core/response.ts';

/** `malformed` says what is wrong; nothing the server sends after that has a meaning. */
export interface Parsed {
  readonly replies: readonly Response[];
  readonly malformed?: string;
}

/** A code, then `-` when more lines follow. A bare code is tolerated, as RFC 5321 §4.2 asks of clients. */
const LINE = /^([2-5]\d\d)(?:([ -])(.*))?$/s;
const LF = 0x0a;

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

  feed(chunk: Buffer): Parsed {
    const replies: Response[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      const line = this.#complete(chunk.subarray(start, end));
      start = end + 1;
      if (this.#bytes > limits.smtpReplyBytes) return { replies, malformed: 'the reply is too long' };
      const match = LINE.exec(line);
      if (match === null) return { replies, malformed: 'the reply has no reply code' };
      this.#texts.push(match[3] ?? '');
      if (match[2] !== '-') replies.push(this.#finish(Number(match[1])));
    }
    if (start < chunk.length) {
      this.#parts.push(chunk.subarray(start));
      this.#bytes += chunk.length - start;
      if (this.#bytes > limits.smtpReplyBytes) return { replies, malformed: 'the reply is too long' };
    }
    return { replies };
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

/** Takes the CR of the line end off and defuses other control characters: the text travels on to logs and to other SMTP sessions. */
function printable(line: string): string {
  const end = line.endsWith('\r') ? line.length - 1 : line.length;
  return line.slice(0, end).replace(/[\u0000-\u0008\u000a-\u001f\u007f]/g, '?');
}
