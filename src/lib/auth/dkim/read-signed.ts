/** One pass over a message that may be signed: its header, and the hashes that the signatures in that header need of its body. */
import { type Body, smallBytes } from '../../core/body.ts';
import { limits } from '../../core/limits.ts';
import { blankLine } from '../../message/headers.ts';
import { type BodyHashAsk, BodyHashes, type HashedBody } from './body-hashes.ts';
import { type RawField, rawFields } from './raw-field.ts';

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

/**
 * Reads the header, asks `plan` which hashes are needed, and reads the rest for them, or not at all when none is. `undefined`: the header is
 * larger than `limits.messageHeaderBytes`, and nobody has to look through that. What is in memory already is read without a wait in between.
 */
export async function readSigned<T>(body: Body, plan: Plan<T>): Promise<ReadSigned<T> | undefined> {
  const reading = new Reading(plan, body.hasOnlyCrlf === true);
  if (body.inMemory !== undefined || body.whole !== undefined) {
    const bytes = smallBytes(body);
    reading.take(Buffer.isBuffer(bytes) ? bytes : await bytes);
  } else if (body.inPieces !== undefined) {
    for (const piece of body.inPieces) if (!reading.take(piece)) break;
  } else {
    for await (const chunk of body.chunks()) if (!reading.take(chunk)) break;
  }
  return reading.finish();
}

/** The header is known, the body not yet. */
interface Begun<T> {
  readonly read: Omit<ReadSigned<T>, 'bodyHash'>;
  readonly hashes: BodyHashes;
}

class Reading<T> {
  readonly #plan: Plan<T>;
  readonly #hasOnlyCrlf: boolean;
  /** What has come, until the header is complete. */
  #head: Buffer = Buffer.alloc(0);
  #isTooLarge = false;
  #begun: Begun<T> | undefined;

  constructor(plan: Plan<T>, hasOnlyCrlf: boolean) {
    this.#plan = plan;
    this.#hasOnlyCrlf = hasOnlyCrlf;
  }

  /** The next bytes; whether any more are wanted. */
  take(chunk: Buffer): boolean {
    if (this.#begun !== undefined) {
      this.#begun.hashes.update(chunk);
      return true;
    }
    const from = Math.max(0, this.#head.length - 3);
    this.#head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    const blank = blankLine(this.#head, from);
    this.#isTooLarge = (blank?.at ?? this.#head.length) > limits.messageHeaderBytes;
    if (this.#isTooLarge) return false;
    if (blank === undefined) return true;
    const { hashes } = this.#begin(this.#head.subarray(0, blank.at));
    if (hashes.isEmpty) return false;
    hashes.update(this.#head.subarray(blank.at + blank.length));
    return true;
  }

  /** To be called once. */
  finish(): ReadSigned<T> | undefined {
    if (this.#isTooLarge) return undefined;
    // A message without a blank line is all header.
    const { read, hashes } = this.#begun ?? this.#begin(this.#head);
    return { ...read, bodyHash: hashes.finish() };
  }

  #begin(headerBlock: Buffer): Begun<T> {
    const fields = rawFields(headerBlock);
    const { planned, hashes } = this.#plan(fields);
    const begun = { read: { headerBlock, fields, planned }, hashes: new BodyHashes(hashes, this.#hasOnlyCrlf) };
    this.#begun = begun;
    return begun;
  }
}
