/**
 * Collects one message while it comes in: in memory as long as it is small, in a file beyond that, so that a thousand clients sending large
 * messages at once do not fill the memory.
 */
import type { FileHandle } from 'node:fs/promises';
import { type Body, memoryBody } from '../core/body.ts';
import { must } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { SpooledBody } from './spooled-body.ts';

/** More was appended than the writer was made for. Nothing of the last chunk was kept. */
export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError';
}

export interface SpoolWriterOptions {
  /** Size limit of the whole body. */
  readonly maxBytes: number;
  /** Up to this size the body never touches the disk. */
  readonly inMemoryBytes: number;
  /** Opens the file, once, when the body outgrows the memory. */
  readonly openFile: () => Promise<FileHandle>;
  readonly onCloseFailed: (error: unknown) => void;
  /** Hears by how much the files grow, and (less than 0) shrink. */
  readonly onStored?: (bytes: number) => void;
}

const FIRST_BUFFER_BYTES = 4096;

export class SpoolWriter {
  readonly #options: SpoolWriterOptions;
  /** Bytes not yet in the file: all of them while there is none. They are copied, as tiny chunks would each pin a buffer of their own. */
  #buffer: Buffer = Buffer.alloc(0);
  #filled = 0;
  #flushed = 0;
  #file: FileHandle | undefined;
  #state: 'open' | 'finished' | 'discarded' = 'open';
  #body: SpooledBody | undefined;

  constructor(options: SpoolWriterOptions) {
    this.#options = options;
  }

  /** Bytes appended so far. */
  get size(): number {
    return this.#flushed + this.#filled;
  }

  /**
   * Adds bytes; the chunk may be reused by the caller afterwards. One call at a time. Rejects with `BodyTooLargeError`, or with the
   * error of the file system; after either only `discard` makes sense.
   */
  async append(chunk: Buffer): Promise<void> {
    must(this.#state === 'open', 'bytes are appended before the body is finished');
    if (this.size + chunk.length > this.#options.maxBytes)
      throw new BodyTooLargeError(`the body is longer than ${this.#options.maxBytes} bytes`);
    for (let taken = 0; taken < chunk.length; ) {
      if (this.#filled === this.#capacityBytes) await this.#flush();
      this.#reserve(chunk.length - taken);
      const copied = chunk.copy(this.#buffer, this.#filled, taken);
      this.#filled += copied;
      taken += copied;
    }
  }

  /** Ends the body. The writer keeps the first reference to it; `discard` gives it back. */
  async finish(): Promise<Body> {
    must(this.#state === 'open', 'a body is finished once');
    if (this.#file !== undefined) await this.#flush();
    this.#state = 'finished';
    const bytes = this.#buffer.subarray(0, this.#filled);
    this.#buffer = Buffer.alloc(0);
    if (this.#file === undefined)
      return memoryBody(bytes.length * 2 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes);
    const { onCloseFailed, onStored } = this.#options;
    this.#body = new SpooledBody(this.#file, this.#flushed, onCloseFailed, () => onStored?.(-this.#flushed));
    return this.#body;
  }

  /** Drops what was collected, or the writer's reference to a finished body. Idempotent. */
  discard(): void {
    if (this.#state === 'discarded') return;
    if (this.#body !== undefined) this.#body.release();
    else if (this.#file !== undefined) {
      this.#file.close().catch(this.#options.onCloseFailed);
      this.#options.onStored?.(-this.#flushed);
    }
    this.#state = 'discarded';
    this.#buffer = Buffer.alloc(0);
  }

  get #capacityBytes(): number {
    return this.#file === undefined ? this.#options.inMemoryBytes : limits.blobChunkBytes;
  }

  /** Makes room for up to `wanted` more bytes, growing by doubling. */
  #reserve(wanted: number): void {
    const needed = Math.min(this.#filled + wanted, this.#capacityBytes);
    if (needed <= this.#buffer.length) return;
    const size = Math.min(this.#capacityBytes, Math.max(needed, this.#buffer.length * 2, FIRST_BUFFER_BYTES));
    const grown = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(grown, 0, 0, this.#filled);
    this.#buffer = grown;
  }

  async #flush(): Promise<void> {
    const file = await this.#openedFile();
    for (let done = 0; done < this.#filled; ) {
      const { bytesWritten } = await file.write(this.#buffer, done, this.#filled - done, this.#flushed + done);
      done += bytesWritten;
    }
    this.#flushed += this.#filled;
    this.#options.onStored?.(this.#filled);
    this.#filled = 0;
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
