/**
 * Collects one message while it comes in: in memory as long as it is small, or as there is enough for all, in a file beyond that, so that a
 * thousand clients sending large messages at once do not fill the memory.
 */
import type { FileHandle } from 'node:fs/promises';
import { type Body, memoryBody } from '../core/body.ts';
import { InvariantError, must } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { HeldBody } from './held-body.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { Pieces } from './pieces.ts';
import type { Slabbed, Slabs } from './slabs.ts';
import { SpooledBody } from './spooled-body.ts';

/** What did not ask for its place has none to give back. */
const nothing = (): void => undefined;

/** More was appended than the writer was made for. Nothing of the last chunk was kept. */
export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError';
}

export interface SpoolWriterOptions {
  /** Size limit of the whole body. */
  readonly maxBytes: number;
  /** Up to this size the body stays in memory without asking for it. */
  readonly unaskedBytes: number;
  /** Up to this size it does when the budget has so much left. */
  readonly inMemoryBytes: number;
  readonly budget: MemoryBudget;
  readonly slabs: Slabs;
  /** Opens the file, once, when the body outgrows the memory. */
  readonly openFile: () => Promise<FileHandle>;
  readonly onCloseFailed: (error: unknown) => void;
  /** Hears by how much the files grow, and (less than 0) shrink. */
  readonly onStored?: (bytes: number) => void;
}

export class SpoolWriter {
  readonly #options: SpoolWriterOptions;
  /** Bytes not yet in the file: all of them while there is none. */
  readonly #pieces: Pieces;
  /** What the budget has given for them. */
  #budgetBytes = 0;
  #size = 0;
  #flushed = 0;
  #isSpilling = false;
  #file: FileHandle | undefined;
  #state: 'open' | 'finished' | 'discarded' = 'open';
  #body: SpooledBody | HeldBody | undefined;

  constructor(options: SpoolWriterOptions) {
    this.#options = options;
    this.#pieces = new Pieces(options.slabs);
  }

  /** Bytes appended so far. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds bytes, of which it makes a copy. One call at a time. Rejects with `BodyTooLargeError`, or with the error of the file system; after either
   * only `discard` makes sense. There is nothing to wait for as long as no file is written.
   */
  append(chunk: Buffer): Promise<void> | undefined {
    if (this.#state !== 'open')
      return Promise.reject(new InvariantError('bytes are appended before the body is finished'));
    if (this.#size + chunk.length > this.#options.maxBytes)
      return Promise.reject(new BodyTooLargeError(`the body is longer than ${this.#options.maxBytes} bytes`));
    this.#pieces.add(chunk);
    this.#size += chunk.length;
    this.#isSpilling ||= !this.#hasRoom();
    const isDue = this.#isSpilling && (this.#file === undefined || this.#pieces.size >= limits.blobChunkBytes);
    return isDue ? this.#flush() : undefined;
  }

  /**
   * Ends the body. The writer keeps the first reference to it; `discard` gives it back. `hasOnlyCrlf` as in `Body`. A body in memory is there at
   * once.
   */
  finish(hasOnlyCrlf = false): Body | Promise<Body> {
    must(this.#state === 'open', 'a body is finished once');
    if (this.#file !== undefined) return this.#inFile(this.#file, hasOnlyCrlf);
    this.#state = 'finished';
    return this.#inMemory(hasOnlyCrlf);
  }

  /** Drops what was collected, or the writer's reference to a finished body. Idempotent. */
  discard(): void {
    if (this.#state === 'discarded') return;
    this.#state = 'discarded';
    if (this.#body !== undefined) {
      this.#body.release();
      this.#body = undefined;
      return;
    }
    if (this.#file !== undefined) {
      this.#file.close().catch(this.#options.onCloseFailed);
      this.#options.onStored?.(-this.#flushed);
    }
    this.#pieces.drop();
    this.#giveBack();
  }

  async #inFile(file: FileHandle, hasOnlyCrlf: boolean): Promise<Body> {
    await this.#flush();
    this.#state = 'finished';
    const { onCloseFailed, onStored } = this.#options;
    const onGone = (): void => onStored?.(-this.#flushed);
    this.#body = new SpooledBody({ file, size: this.#flushed, hasOnlyCrlf, onCloseFailed, onGone });
    return this.#body;
  }

  #inMemory(hasOnlyCrlf: boolean): Body {
    const held = this.#budgetBytes;
    if (this.#size === 0) return memoryBody(Buffer.alloc(0), hasOnlyCrlf);
    const { budget, slabs: from } = this.#options;
    const { pieces, slabs } = this.#pieces.take();
    const onGone = held === 0 ? nothing : (): void => budget.give(held);
    this.#body = new HeldBody({ pieces, hasOnlyCrlf, onGone, memory: { slabs, from } });
    return this.#body;
  }

  #giveSlabs({ slabs }: Slabbed): void {
    for (const slab of slabs) this.#options.slabs.give(slab);
  }

  #hasRoom(): boolean {
    const { unaskedBytes, inMemoryBytes, budget } = this.#options;
    const { size } = this.#pieces;
    if (size <= unaskedBytes) return true;
    if (size > inMemoryBytes || !budget.take(size - this.#budgetBytes)) return false;
    this.#budgetBytes = size;
    return true;
  }

  #giveBack(): void {
    this.#options.budget.give(this.#budgetBytes);
    this.#budgetBytes = 0;
  }

  async #flush(): Promise<void> {
    const file = await this.#openedFile();
    const memory = this.#pieces.take();
    try {
      await this.#write(file, memory.pieces);
    } finally {
      // The system has written, or given up: it looks at them no longer.
      this.#giveSlabs(memory);
    }
    this.#giveBack();
  }

  /** Everything in one call to the system, without putting it together first. */
  async #write(file: FileHandle, pieces: readonly Buffer[]): Promise<void> {
    let left = pieces;
    while (left.length > 0) {
      const { bytesWritten } = await file.writev(left, this.#flushed);
      if (this.#state === 'discarded') throw new Error('the body was discarded while it was written');
      this.#flushed += bytesWritten;
      this.#options.onStored?.(bytesWritten);
      left = behind(left, bytesWritten);
    }
  }

  async #openedFile(): Promise<FileHandle> {
    if (this.#file !== undefined) return this.#file;
    const file = await this.#options.openFile();
    if (this.#state === 'discarded') {
      await file.close();
      throw new Error('the body was discarded while its file was opened');
    }
    this.#file = file;
    return file;
  }
}

/** What is left of these buffers behind so many bytes. */
function behind(buffers: readonly Buffer[], bytes: number): Buffer[] {
  let skip = bytes;
  const left: Buffer[] = [];
  for (const buffer of buffers) {
    if (skip < buffer.length) left.push(skip === 0 ? buffer : buffer.subarray(skip));
    skip = Math.max(0, skip - buffer.length);
  }
  return left;
}
