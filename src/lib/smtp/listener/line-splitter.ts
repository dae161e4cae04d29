/**
 * Cuts the command phase of a session into lines. Only CRLF ends a line (RFC 5321 §2.3.8): a line with any other line break is one faulty line up
 * to its CRLF, so that nobody can hide a second command in the first.
 */
import { limits } from '../../core/limits.ts';

/** A command line without its CRLF, or why it is none. */
export type CommandLine =
  | { readonly bytes: Buffer; readonly isAscii: boolean; readonly fault?: undefined }
  | { readonly fault: 'tooLong' | 'lineBreak' | 'nul' };

export interface SplitLine {
  /** Absent while the line is incomplete, or while the rest of a faulty one is skipped. */
  readonly line?: CommandLine;
  /** Bytes after it. */
  readonly rest?: Buffer | undefined;
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
    const rest = end + 1 === bytes.length ? undefined : bytes.subarray(end + 1);
    if (end === 0 || bytes[end - 1] !== CR) return { line: this.#fault('lineBreak', NOTHING), rest };
    const text = bytes.subarray(0, end - 1);
    return { line: text.length > limits.smtpCommandLineBytes ? { fault: 'tooLong' } : inspected(text), rest };
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

/** Looks at each byte once: a line is short, and three searches cost more. */
function inspected(text: Buffer): CommandLine {
  let allBits = 0;
  let hasNul = false;
  for (let i = 0; i < text.length; i += 1) {
    const byte = text[i] as number;
    if (byte === CR) return { fault: 'lineBreak' };
    if (byte === 0) hasNul = true;
    allBits |= byte;
  }
  return hasNul ? { fault: 'nul' } : { bytes: text, isAscii: allBits < 0x80 };
}
