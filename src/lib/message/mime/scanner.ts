/**
 * Finds the structure of a message in one pass over its bytes, however they are cut into chunks, in memory that does not grow with them:
 * headers are kept, content goes to a sink as it comes. It never refuses anything; what is wrong is noted on the part.
 *
 *   header ──blank line──▶ content ──delimiter of a part around it──▶ header of the next part, or what follows the last
 *      └──▶ header of the enclosed message, when the part is one
 *
 * Only bytes after a line end that begin with `--` can be a delimiter, so that is all that is searched for.
 */
import { limits } from '../../core/limits.ts';
import { DELIMITER_BYTES_MAX, type Delimiter, EnclosingParts } from './enclosing-parts.ts';
import { HeaderBlock, lineKind } from './header-block.ts';
import { OpenPart } from './open-part.ts';
import type { MimeDefect, MimePart } from './part.ts';

/** Takes the content of one part as it lies in the message, piece by piece. The memory of a piece is valid during the call only. */
export interface PartSink {
  write(bytes: Buffer): void;
  /** What was wrong with the content. */
  end(): MimeDefect | undefined;
}

export interface ScanOptions {
  /** How deep parts are looked into. */
  readonly depthMax?: number;
  /** Asked for every part that is not looked into, once its header is known, in the order of the message. */
  readonly sinkFor?: (part: MimePart) => PartSink | undefined;
}

const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;
const DELIMITER_START = Buffer.from('\n--');
const DEPTH_MAX = 20;

/** A delimiter, and where the next line begins. */
interface Found extends Delimiter {
  readonly next: number;
}

export class MimeScanner {
  readonly #depthMax: number;
  readonly #sinkFor: (part: MimePart) => PartSink | undefined;
  readonly #root = new OpenPart(0, 'text/plain');
  readonly #enclosing = new EnclosingParts();
  #part: OpenPart | undefined = this.#root;
  #header: HeaderBlock | undefined = new HeaderBlock();
  #headerBytes = 0;
  #sink: PartSink | undefined;
  /** No byte of the content was consumed yet, so that a delimiter may begin right here. */
  #isAtLineStart = false;
  /** Of the line before; a blank line ends the header with CRLF only when this one did too. */
  #endedWithCrlf = true;
  #partCount = 1;
  #headerCount = 0;
  #headerBytesTotal = 0;
  /** Bytes that are not consumed yet, and where the first of them lies in the message. */
  #bytes: Buffer = Buffer.alloc(0);
  #base = 0;
  #at = 0;

  constructor({ depthMax = DEPTH_MAX, sinkFor = () => undefined }: ScanOptions = {}) {
    this.#depthMax = depthMax;
    this.#sinkFor = sinkFor;
  }

  write(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    this.#consume(false);
    this.#base += this.#at;
    // A copy: the memory of the chunk belongs to whoever reads the body.
    this.#bytes = Buffer.from(this.#bytes.subarray(this.#at));
    this.#at = 0;
  }

  /** The whole tree. */
  end(): MimePart {
    this.#consume(true);
    this.#endPart(this.#at);
    this.#enclosing.leave(0, this.#base + this.#at);
    return this.#root;
  }

  #consume(isLast: boolean): void {
    while (this.#header === undefined ? this.#scanContent(isLast) : this.#scanHeader(this.#header, isLast));
  }

  /** Consumes lines of a header; true when something else begins. */
  #scanHeader(header: HeaderBlock, isLast: boolean): boolean {
    for (;;) {
      const lf = this.#bytes.indexOf(LF, this.#at);
      const end = lf === -1 ? this.#bytes.length : lf;
      if (this.#isHeaderFull(end - this.#at)) {
        header.defects.add('headerTooLong');
        this.#endHeader(this.#at, 'missing');
        return true;
      }
      if (lf === -1 && (!isLast || end === this.#at)) return false;
      const hasCr = lf > this.#at && this.#bytes[lf - 1] === CR;
      const line = this.#bytes.toString('latin1', this.#at, hasCr ? end - 1 : end);
      const next = lf === -1 ? end : lf + 1;
      if (line === '' && lf !== -1) {
        if (!hasCr) header.defects.add('bareLf');
        this.#endHeader(next, hasCr && this.#endedWithCrlf ? 'crlf' : 'lf');
        return true;
      }
      const delimiter = line.startsWith('--') ? this.#enclosing.delimiterOf(line.slice(2)) : undefined;
      if (delimiter !== undefined) {
        this.#delimit({ ...delimiter, next }, this.#at);
        return true;
      }
      if (header.fieldCount === 0 && !line.startsWith('From ') && lineKind(line) === 'other') {
        // There is no header at all, only content.
        this.#endHeader(this.#at, 'missing');
        return true;
      }
      if (!hasCr && lf !== -1) header.defects.add('bareLf');
      this.#addLine(header, line, hasCr);
      this.#at = next;
    }
  }

  #addLine(header: HeaderBlock, line: string, endsWithCrlf: boolean): void {
    const before = header.fieldCount;
    header.add(line, this.#headerCount < limits.mimeHeaders);
    this.#headerCount += header.fieldCount - before;
    this.#headerBytes += line.length + 2;
    this.#headerBytesTotal += line.length + 2;
    this.#endedWithCrlf = endsWithCrlf;
  }

  #isHeaderFull(more: number): boolean {
    return (
      this.#headerBytes + more > limits.messageHeaderBytes || this.#headerBytesTotal + more > limits.mimeHeaderBytes
    );
  }

  /** The content of the part begins at `contentAt`; what kind of content it is follows from the header. */
  #endHeader(contentAt: number, separator: 'crlf' | 'lf' | 'missing'): void {
    const part = this.#part;
    const header = this.#header;
    if (part === undefined || header === undefined) return;
    this.#at = contentAt;
    this.#header = undefined;
    this.#headerBytes = 0;
    this.#endedWithCrlf = true;
    this.#isAtLineStart = true;
    part.describe(header, this.#base + contentAt);
    part.isSeparated = separator === 'crlf';
    if (separator === 'missing') part.note('missingSeparator');
    if (part.isMultipart && this.#enterMultipart(part)) return;
    if (part.isMessage && this.#enterMessage(part)) return;
    this.#sink = this.#sinkFor(part);
  }

  #enterMultipart(part: OpenPart): boolean {
    const boundary = part.params.get('boundary')?.trimEnd() ?? '';
    const isUsable = boundary !== '' && Buffer.byteLength(boundary) <= limits.mimeBoundaryBytes;
    if (!isUsable) part.note('boundaryMissing');
    if (!isUsable || this.#isTooDeep(part)) return false;
    this.#enclosing.enter(part, boundary);
    this.#part = undefined;
    return true;
  }

  #enterMessage(part: OpenPart): boolean {
    if (this.#isTooDeep(part) || this.#partCount >= limits.mimeParts) return false;
    this.#enclosing.enter(part);
    this.#enterPart(part, 'text/plain');
    return true;
  }

  #isTooDeep(part: OpenPart): boolean {
    if (part.depth < this.#depthMax) return false;
    part.note('tooDeep');
    return true;
  }

  #enterPart(parent: OpenPart, defaultType: string): void {
    const part = new OpenPart(parent.depth + 1, defaultType);
    parent.parts.push(part);
    this.#partCount += 1;
    this.#part = part;
    this.#header = new HeaderBlock();
  }

  /** Hands content on up to the next delimiter; true when something else begins. */
  #scanContent(isLast: boolean): boolean {
    if (this.#enclosing.hasNoBoundary) {
      this.#emit(this.#bytes.length);
      return false;
    }
    let found = this.#isAtLineStart ? this.#delimiterAt(this.#at, isLast) : undefined;
    let lf = this.#at;
    let from = this.#at;
    while (found === undefined) {
      lf = this.#bytes.indexOf(DELIMITER_START, from);
      if (lf === -1) break;
      found = this.#delimiterAt(lf + 1, isLast);
      from = lf + 1;
    }
    // The line end before a delimiter belongs to it (RFC 2046 §5.1.1).
    const end = lf > this.#at && this.#bytes[lf - 1] === CR ? lf - 1 : lf;
    if (found === undefined) this.#emit(this.#bytes.length - (isLast ? 0 : this.#undecided()));
    else if (found === 'wait') this.#emit(end);
    else this.#delimit(found, end);
    return typeof found === 'object';
  }

  /** Bytes at the end that may turn out to belong to a delimiter. */
  #undecided(): number {
    const tail = this.#bytes.toString('latin1', Math.max(this.#at, this.#bytes.length - 3));
    return /(?:\r?\n-?|\r)$/.exec(tail)?.[0].length ?? 0;
  }

  /** Hands on the content before `end`. */
  #emit(end: number): void {
    if (end <= this.#at) return;
    this.#sink?.write(this.#bytes.subarray(this.#at, end));
    this.#at = end;
    this.#isAtLineStart = false;
  }

  /** What the line that begins there is: `wait` when its end has not come yet. */
  #delimiterAt(start: number, isLast: boolean): Found | 'wait' | undefined {
    const bytes = this.#bytes;
    for (let i = 0; i < 2; i += 1) {
      if (start + i === bytes.length && !isLast) return 'wait';
      if (bytes[start + i] !== DASH) return undefined;
    }
    if (start + 2 < bytes.length && !this.#enclosing.mayBeginWith(bytes[start + 2])) return undefined;
    const lf = bytes.indexOf(LF, start);
    const end = lf === -1 ? bytes.length : lf;
    if (end - start > DELIMITER_BYTES_MAX) return undefined;
    if (lf === -1 && !isLast) return 'wait';
    const delimiter = this.#enclosing.delimiterOf(bytes.toString('latin1', start + 2, end));
    return delimiter && { ...delimiter, next: lf === -1 ? end : lf + 1 };
  }

  /** The content before the delimiter ends at `end`; everything inside its multipart ends with it. */
  #delimit({ level, isClosing, next }: Found, end: number): void {
    this.#endPart(end);
    this.#enclosing.leave(level, this.#base + end);
    this.#at = next;
    this.#isAtLineStart = true;
    const { innermost: multipart } = this.#enclosing;
    if (isClosing) this.#enclosing.close();
    else if (this.#partCount >= limits.mimeParts) multipart?.note('tooManyParts');
    else if (multipart !== undefined) this.#enterPart(multipart, defaultType(multipart));
  }

  #endPart(end: number): void {
    // More than once where an enclosed message begins and has no header either.
    while (this.#header !== undefined) this.#endHeader(end, 'missing');
    if (this.#part === undefined) return;
    this.#emit(end);
    this.#part.end = this.#base + end;
    const defect = this.#sink?.end();
    if (defect !== undefined) this.#part.note(defect);
    this.#part = undefined;
    this.#sink = undefined;
  }
}

/** RFC 2046 §5.1.5. */
function defaultType(multipart: MimePart): string {
  return multipart.type === 'multipart/digest' ? 'message/rfc822' : 'text/plain';
}
