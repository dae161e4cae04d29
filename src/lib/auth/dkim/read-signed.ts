/** One pass over a message that may be signed: its header, and the hashes that the signatures in that header need of its body. */
import { type Body, type Loan, smallBytes } from '../../core/body.ts';
import { limits } from '../../core/limits.ts';
import { type BlankLine, blankLine, blankLineAfterText } from '../../message/headers.ts';
import { type BodyHashAsk, BodyHashes, type HashedBody } from './body-hashes.ts';
import { type RawField, rawFields } from './raw-field.ts';
import { needNoChange, UnchangedBody } from './unchanged-body.ts';

export interface ReadSigned<T> {
  /** Up to the blank line, which is not included. */
  readonly headerBlock: Buffer;
  readonly fields: readonly RawField[];
  /** What `plan` made of the fields. */
  readonly planned: T;
  readonly bodyHash: (ask: BodyHashAsk) => HashedBody | undefined;
}

/** Which hashes are needed of a message that has these fields. */
type Plan<T> = (fields: readonly RawField[]) => { readonly planned: T; readonly hashes: readonly BodyHashAsk[] };

type Read<T> = ReadSigned<T> | undefined;

/**
 * Reads the header, asks `plan` which hashes are needed, and reads the rest for them, or not at all when none is. `undefined`: the header is
 * larger than `limits.messageHeaderBytes`, and nobody has to look through that. What is in memory already is read at once.
 */
export function readSigned<T>(body: Body, plan: Plan<T>): Read<T> | Promise<Read<T>> {
  const loan = body.lend?.();
  if (loan !== undefined) return readLoan(new Reading(plan, body), loan);
  if (body.inMemory !== undefined || body.whole !== undefined) {
    const bytes = smallBytes(body);
    return Buffer.isBuffer(bytes) ? readWhole(bytes, body, plan) : bytes.then((whole) => readWhole(whole, body, plan));
  }
  const reading = new Reading(plan, body);
  return body.inPieces === undefined ? readChunks(reading, body) : readPieces(reading, body.inPieces);
}

function readWhole<T>(bytes: Buffer, body: Body, plan: Plan<T>): Read<T> {
  const reading = new Reading(plan, body);
  reading.take(bytes);
  return reading.finish();
}

/** Keeps a copy of the header, because another message is written over what was lent. */
function readLoan<T>(reading: Reading<T>, loan: Loan): Read<T> {
  try {
    const read = readPieces(reading, loan.pieces);
    return read && { ...read, headerBlock: Buffer.from(read.headerBlock) };
  } finally {
    loan.giveBack();
  }
}

function readPieces<T>(reading: Reading<T>, pieces: readonly Buffer[]): Read<T> {
  for (const piece of pieces) if (!reading.take(piece)) break;
  return reading.finish();
}

async function readChunks<T>(reading: Reading<T>, body: Body): Promise<Read<T>> {
  for await (const chunk of body.chunks()) if (!reading.take(chunk)) break;
  return reading.finish();
}

/** The header is known, the body not yet. */
interface Begun<T> {
  readonly headerBlock: Buffer;
  readonly fields: readonly RawField[];
  readonly planned: T;
  readonly hashes: BodyHashes | UnchangedBody;
}

class Reading<T> {
  readonly #plan: Plan<T>;
  readonly #hasOnlyCrlf: boolean;
  readonly #sizeBytes: number;
  #takenBytes = 0;
  /** What has come, until the header is complete. */
  #head: Buffer = Buffer.alloc(0);
  #isTooLarge = false;
  #begun: Begun<T> | undefined;

  constructor(plan: Plan<T>, { size, hasOnlyCrlf }: Body) {
    this.#plan = plan;
    this.#hasOnlyCrlf = hasOnlyCrlf === true;
    this.#sizeBytes = size;
  }

  /** The next bytes; whether any more are wanted. */
  take(chunk: Buffer): boolean {
    this.#takenBytes += chunk.length;
    if (this.#begun !== undefined) {
      this.#begun.hashes.update(chunk);
      return true;
    }
    const before = this.#head.length;
    const blank = this.#blankLine(chunk);
    this.#isTooLarge = (blank?.at ?? before + chunk.length) > limits.messageHeaderBytes;
    if (this.#isTooLarge) return false;
    this.#head = joined(this.#head, blank === undefined ? chunk : chunk.subarray(0, Math.max(0, blank.at - before)));
    if (blank === undefined) return true;
    const { hashes } = this.#begin(this.#head.subarray(0, blank.at));
    if (hashes.isEmpty) return false;
    hashes.update(chunk.subarray(blank.at + blank.length - before));
    return true;
  }

  /** To be called once. */
  finish(): Read<T> {
    if (this.#isTooLarge) return undefined;
    // A message without a blank line is all header.
    const { headerBlock, fields, planned, hashes } = this.#begun ?? this.#begin(this.#head);
    return { headerBlock, fields, planned, bodyHash: hashes.finish() };
  }

  /** Counted from the beginning of the message. What is large is not copied to look through it: only the border to what came before is. */
  #blankLine(chunk: Buffer): BlankLine | undefined {
    const head = this.#head;
    if (head.length === 0) return blankLine(chunk, 0);
    const border = blankLine(Buffer.concat([head, chunk.subarray(0, 2)]), Math.max(0, head.length - 2));
    if (border !== undefined) return border;
    const inside = blankLineAfterText(chunk, 0);
    return inside && { at: head.length + inside.at, length: inside.length };
  }

  #begin(headerBlock: Buffer): Begun<T> {
    const fields = rawFields(headerBlock, this.#hasOnlyCrlf);
    const { planned, hashes } = this.#plan(fields);
    const isRestHere = this.#takenBytes === this.#sizeBytes;
    const isSimple = isRestHere && this.#hasOnlyCrlf && needNoChange(hashes);
    this.#begun = {
      headerBlock,
      fields,
      planned,
      hashes: isSimple ? new UnchangedBody() : new BodyHashes(hashes, this.#hasOnlyCrlf),
    };
    return this.#begun;
  }
}

function joined(head: Buffer, next: Buffer): Buffer {
  return head.length === 0 ? next : Buffer.concat([head, next]);
}
