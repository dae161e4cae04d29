/**
 * Cuts the command phase of a session into lines. Only CRLF ends a line (RFC 5321 §2.3.8): a line with any other line break is one faulty line up
 * to its CRLF, so that nobody can hide a second command in the first.
 */
import { limits } from '../../core/limits.ts';

/** A command line without its CRLF, or why it is none. */
export type CommandLine =
  | { readonly bytes: Buffer; readonly fault?: undefined }
  | { readonly fault: 'tooLong' | 'lineBreak' | 'nul' };

export interface SplitLine {
  /** Absent while the line is incomplete, or while the rest of a faulty one is skipped. */
  readonly line?: CommandLine;
  /** Bytes after it. */
  readonly rest?: Buffer;
}

const LF = 0x0a;
const CR = 0x0d;
const CRLF = Buffer.from('\r\n');
const NOTHING = Buffer.alloc(0);

export class LineSplitter {
  #held: Buffer = NOTHING;
  #skipping = false;

  /** Takes bytes; to be called again with `rest` until there is none. A fault is told as soon as it is seen, once. */
  take(chunk: Buffer): SplitLine {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = NOTHING;
    return this.#skipping ? this.#skip(bytes) : this.#cut(bytes);
  }

  #cut(bytes: Buffer): SplitLine {
    const end = bytes.indexOf(LF);
    if (end === -1) {
      if (bytes.length > limits.smtpCommandLineBytes) return { line: this.#fault('tooLong', bytes) };
      this.#held = Buffer.from(bytes);
      return {};
    }
    const rest = bytes.subarray(end + 1);
    if (end === 0 || bytes[end - 1] !== CR) return { line: this.#fault('lineBreak', NOTHING), rest };
    const text = bytes.subarray(0, end - 1);
    if (text.length > limits.smtpCommandLineBytes) return { line: { fault: 'tooLong' }, rest };
    if (text.includes(CR)) return { line: { fault: 'lineBreak' }, rest };
    if (text.includes(0)) return { line: { fault: 'nul' }, rest };
    return { line: { bytes: Buffer.from(text) }, rest };
  }

  #fault(fault: 'tooLong' | 'lineBreak', bytes: Buffer): CommandLine {
    this.#skipping = true;
    this.#holdCr(bytes);
    return { fault };
  }

  #skip(bytes: Buffer): SplitLine {
    const end = bytes.indexOf(CRLF);
    if (end === -1) {
      this.#holdCr(bytes);
      return {};
    }
    this.#skipping = false;
    return { rest: bytes.subarray(end + 2) };
  }

  /** The CR of a CRLF may come in one chunk and its LF in the next. */
  #holdCr(bytes: Buffer): void {
    if (bytes.at(-1) === CR) this.#held = Buffer.from([CR]);
  }
}
