/** The bytes of a message: a length, and a way to read them more than once. Incremental upload stays at the edges. */

import { InvariantError } from './errors.ts';
import { limits } from './limits.ts';
import type { Response } from './response.ts';

/** Small bodies are one buffer in memory, large ones a spool file or chunks in the store; a reader sees no difference. */
export interface Body {
  readonly size: number;
  /** Reads the whole body from its first byte, in chunks of at most a few hundred KB. May be called many times, also at once. */
  chunks(): AsyncIterable<Buffer>;
  /** The same from a later byte on, where that costs no reading of what is before it: a part of a large message is read by itself. */
  chunksFrom?(offset: number): AsyncIterable<Buffer>;
  /**
   * Keeps the bytes alive until the returned function is called; safe to call it twice. The creator of a body holds the first
   * reference; whoever may outlive the creator (an adopted attempt) retains its own.
   */
  retain(): () => void;
  /** All bytes, when they lie in memory already: lets small messages skip the iterator. */
  readonly inMemory?: Buffer | undefined;
  /** The same for a small message whose owner is to be asked before its end goes out. */
  whole?(): Buffer | Promise<Buffer>;
  /** All bytes in their order, when they lie in memory in pieces: who copies them anyway need not wait for each. */
  readonly inPieces?: readonly Buffer[] | undefined;
  /**
   * All bytes for a while, when they lie in memory. Memory that was only ever lent is used again for the next message; memory that was read in any
   * other way is left to the garbage collector, because nobody knows who still looks at it.
   */
  lend?(): Loan | undefined;
  /**
   * Every CR and LF was seen to be part of a CRLF: who sends it need not look again. Only who has looked says so; whoever makes another body
   * of this one and does not know leaves it out.
   */
  readonly hasOnlyCrlf?: boolean;
  /** There are no bytes to be had, and this is what the sender is told. Whoever drives an attempt answers it; nobody reads such a body. */
  readonly refusal?: Response;
}

/**
 * Bytes that are somebody else's. Who has them keeps no part of them when he gives them back, nor does anybody he passed them on to, the system's
 * writes included: another message is written over them.
 */
export interface Loan {
  /** In their order. */
  readonly pieces: readonly Buffer[];
  /** Asked before the last of them goes out, when it is there; throws, or rejects, when it may not. */
  readonly mayEnd?: () => Promise<void> | undefined;
  /** To be called once. Who never does costs the memory, and nothing else. */
  giveBack(): void;
}

const NOTHING_TO_RELEASE = (): void => undefined;

/** A body that is one buffer. */
export function memoryBody(bytes: Buffer, hasOnlyCrlf = false): Body {
  return {
    size: bytes.length,
    inMemory: bytes,
    hasOnlyCrlf,
    async *chunks() {
      if (bytes.length > 0) yield bytes;
    },
    retain: () => NOTHING_TO_RELEASE,
  };
}

/** A body with bytes put before it: how a trace header is added without copying the message. */
export function prefixedBody(prefix: Buffer, rest: Body): Body {
  return new PrefixedBody(prefix, rest);
}

class PrefixedBody implements Body {
  readonly size: number;
  readonly hasOnlyCrlf: boolean;
  readonly chunksFrom?: (offset: number) => AsyncIterable<Buffer>;
  readonly whole?: () => Buffer | Promise<Buffer>;
  readonly #prefix: Buffer;
  readonly #rest: Body;
  #joined: Buffer | undefined;

  constructor(prefix: Buffer, rest: Body) {
    this.#prefix = prefix;
    this.#rest = rest;
    this.size = prefix.length + rest.size;
    this.hasOnlyCrlf = rest.hasOnlyCrlf === true && hasOnlyCrlfIn(prefix);
    if (rest.chunksFrom !== undefined) this.chunksFrom = (offset) => joinedFrom(prefix, rest, offset);
    if (rest.whole !== undefined) this.whole = () => joinedWhole(prefix, smallBytes(rest));
  }

  /** A copy of what is small. */
  get inMemory(): Buffer | undefined {
    if (this.#rest.size > limits.bodyCopiedBytes || this.whole !== undefined) return undefined;
    this.#joined ??= this.#join();
    return this.#joined;
  }

  lend(): Loan | undefined {
    const loan = this.#rest.lend?.();
    return loan && { ...loan, pieces: [this.#prefix, ...loan.pieces] };
  }

  chunks(): AsyncIterable<Buffer> {
    return joinedFrom(this.#prefix, this.#rest, 0);
  }

  retain(): () => void {
    return this.#rest.retain();
  }

  #join(): Buffer | undefined {
    const loan = this.lend();
    if (loan !== undefined) {
      const joined = Buffer.concat(loan.pieces);
      loan.giveBack();
      return joined;
    }
    const { inMemory } = this.#rest;
    return inMemory && Buffer.concat([this.#prefix, inMemory]);
  }
}

function joinedWhole(prefix: Buffer, rest: Buffer | Promise<Buffer>): Buffer | Promise<Buffer> {
  return Buffer.isBuffer(rest) ? Buffer.concat([prefix, rest]) : rest.then((bytes) => Buffer.concat([prefix, bytes]));
}

const CR = 13;
const LF = 10;

/** Looks at bytes of which there are few. */
function hasOnlyCrlfIn(bytes: Buffer): boolean {
  for (let i = 0; i < bytes.length; i += 1) {
    if (bytes[i] === LF && bytes[i - 1] !== CR) return false;
    if (bytes[i] === CR && bytes[i + 1] !== LF) return false;
  }
  return true;
}

async function* joinedFrom(prefix: Buffer, rest: Body, offset: number): AsyncGenerator<Buffer> {
  if (offset < prefix.length) yield prefix.subarray(offset);
  yield* bytesFrom(rest, Math.max(0, offset - prefix.length));
}

/** Reads a body from a byte on; where that is not to be had, what is before it is read and left out. */
export async function* bytesFrom(body: Body, offset: number): AsyncGenerator<Buffer> {
  if (body.chunksFrom !== undefined) {
    yield* body.chunksFrom(offset);
    return;
  }
  let skip = offset;
  for await (const chunk of body.chunks()) {
    if (skip < chunk.length) yield skip === 0 ? chunk : chunk.subarray(skip);
    skip = Math.max(0, skip - chunk.length);
  }
}

/** What stands for a body whose bytes nobody may need any more: it only remembers how many there were. */
export function spentBody(size: number): Body {
  return {
    size,
    chunks: () => {
      throw new InvariantError('the bytes of this message were let go');
    },
    retain: () => NOTHING_TO_RELEASE,
  };
}

/** The bytes of a body that is small: at once where nothing has to be waited for. May throw, or reject, when they are not to be had. */
export function smallBytes(body: Body): Buffer | Promise<Buffer> {
  return body.inMemory ?? body.whole?.() ?? readWhole(body);
}

/** Reads a body into one buffer; only for bodies whose size the caller has bounded. */
export async function bodyBytes(body: Body): Promise<Buffer> {
  return smallBytes(body);
}

async function readWhole(body: Body): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of body.chunks()) parts.push(chunk);
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
}
