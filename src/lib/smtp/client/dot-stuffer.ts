/**
 * Brings message bytes into the form DATA needs: lines end in CRLF, a line that begins with a dot gets another one, the last line is complete
 * (RFC 5321 §4.5.2). The state lives across chunks, so where the chunks end changes nothing.
 *
 * A bare LF and a bare CR each become CRLF. RFC 5321 §2.3.8 forbids to send them; a server that takes one for a line end and another that does
 * not would disagree on where the message ends (SMTP smuggling). Refusing would bounce mail that every reader can show; leaving a message
 * alone except for its line ends is the smallest change that is safe. BDAT needs the line ends and no dots.
 */
const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;
const LF_DOT = Buffer.from('\n.');
const CRLF_DOT = Buffer.from('\r\n.\r\n');

const NOTHING = CRLF_DOT.subarray(0, 0);
/** A copy of this many bytes costs less than another buffer in the call that writes them. */
export const COPIED_BYTES = 16_384;

/** A byte to put before a position of the chunk. */
interface Insertion {
  readonly at: number;
  readonly byte: number;
}

export class DotStuffer {
  readonly #hasOnlyCrlf: boolean;
  readonly #stuffsDots: boolean;
  #atLineStart = true;
  #afterCr = false;

  /** `hasOnlyCrlf` as in `Body`: then there are only dots to look for; and not even those for BDAT. */
  constructor(hasOnlyCrlf = false, stuffsDots = true) {
    this.#hasOnlyCrlf = hasOnlyCrlf;
    this.#stuffsDots = stuffsDots;
  }

  /** Adds the chunk in wire form to `out`, in one or more pieces; it is the same buffer when nothing had to be done. */
  next(chunk: Buffer, out: Buffer[]): void {
    const insertions = this.#insertions(chunk);
    if (insertions.length === 0) out.push(chunk);
    else if (isBestCut(chunk, insertions)) cut(chunk, insertions, out);
    else out.push(copied(chunk, insertions));
  }

  /** The last, or only, chunk and the end: one piece of memory where they are small. */
  last(chunk: Buffer): readonly Buffer[] {
    if (chunk.length <= COPIED_BYTES) return [this.whole([chunk])];
    const out: Buffer[] = [];
    this.next(chunk, out);
    out.push(this.end());
    return out;
  }

  /** A small message and its end, in the memory that is asked for. */
  whole(chunks: readonly Buffer[], memory: (bytes: number) => Buffer = Buffer.allocUnsafe): Buffer {
    const marked = chunks.map((chunk) => ({ chunk, insertions: this.#insertions(chunk) }));
    const end = this.end();
    const sizeBytes = marked.reduce((sum, { chunk, insertions }) => sum + chunk.length + insertions.length, end.length);
    const out = memory(sizeBytes);
    let to = 0;
    for (const { chunk, insertions } of marked) to = copyWith(chunk, insertions, out, to);
    end.copy(out, to);
    return out.subarray(0, sizeBytes);
  }

  /** What the message lacks when it ends in a bare CR; BDAT needs no complete last line. */
  missing(): Buffer {
    return this.#afterCr ? CRLF_DOT.subarray(1, 2) : NOTHING;
  }

  /** What ends the message: the missing end of its last line, if any, and the final dot. */
  end(): Buffer {
    if (this.#afterCr) return CRLF_DOT.subarray(1);
    return this.#atLineStart ? CRLF_DOT.subarray(2) : CRLF_DOT;
  }

  #insertions(chunk: Buffer): Insertion[] {
    if (chunk.length === 0) return [];
    return this.#hasOnlyCrlf ? this.#dots(chunk) : this.#scan(chunk);
  }

  #dots(chunk: Buffer): Insertion[] {
    const insertions: Insertion[] = [];
    if (!this.#stuffsDots) {
      this.#afterCr = chunk.at(-1) === CR;
      return insertions;
    }
    if (this.#atLineStart && chunk[0] === DOT) insertions.push({ at: 0, byte: DOT });
    for (let lf = chunk.indexOf(LF_DOT); lf !== -1; lf = chunk.indexOf(LF_DOT, lf + 2)) {
      insertions.push({ at: lf + 1, byte: DOT });
    }
    this.#atLineStart = chunk.at(-1) === LF;
    this.#afterCr = chunk.at(-1) === CR;
    return insertions;
  }

  #scan(chunk: Buffer): Insertion[] {
    const insertions: Insertion[] = [];
    let start = 0;
    if (this.#afterCr) {
      if (chunk[0] === LF) start = 1;
      else insertions.push({ at: 0, byte: LF });
      this.#atLineStart = true;
      this.#afterCr = false;
    }
    let cr = chunk.indexOf(CR, start);
    let lf = chunk.indexOf(LF, start);
    while (start < chunk.length) {
      if (this.#stuffsDots && this.#atLineStart && chunk[start] === DOT) insertions.push({ at: start, byte: DOT });
      // Each is looked for again only once it lies behind, so that the whole chunk is searched once.
      if (cr !== -1 && cr < start) cr = chunk.indexOf(CR, start);
      if (lf !== -1 && lf < start) lf = chunk.indexOf(LF, start);
      this.#atLineStart = cr !== -1 || lf !== -1;
      if (!this.#atLineStart) break;
      if (cr === -1 || (lf !== -1 && lf < cr)) {
        insertions.push({ at: lf, byte: CR });
        start = lf + 1;
      } else if (cr + 1 === chunk.length) {
        this.#afterCr = true;
        break;
      } else if (lf === cr + 1) {
        start = lf + 1;
      } else {
        insertions.push({ at: cr + 1, byte: LF });
        start = cr + 1;
      }
    }
    return insertions;
  }
}

/** A few dots in a large chunk: no copy is made of it. */
function isBestCut(chunk: Buffer, insertions: readonly Insertion[]): boolean {
  return (
    insertions.length * COPIED_BYTES <= chunk.length &&
    insertions.every(({ at, byte }) => byte === DOT && chunk[at] === DOT)
  );
}

/** Each dot that is to be doubled is the end of one piece and the beginning of the next. */
function cut(chunk: Buffer, insertions: readonly Insertion[], out: Buffer[]): void {
  let from = 0;
  for (const { at } of insertions) {
    out.push(chunk.subarray(from, at + 1));
    from = at;
  }
  out.push(chunk.subarray(from));
}

function copied(chunk: Buffer, insertions: readonly Insertion[]): Buffer {
  const out = Buffer.allocUnsafe(chunk.length + insertions.length);
  copyWith(chunk, insertions, out, 0);
  return out;
}

/** Answers where the copy ends. */
function copyWith(chunk: Buffer, insertions: readonly Insertion[], out: Buffer, start: number): number {
  let from = 0;
  let to = start;
  for (const { at, byte } of insertions) {
    to += chunk.copy(out, to, from, at);
    out[to] = byte;
    to += 1;
    from = at;
  }
  return to + chunk.copy(out, to, from);
}
