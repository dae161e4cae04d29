/**
 * Bytes as they come in, kept without copying where that is no waste: large chunks as they are, small ones together in buffers of our own, because
 * each would keep alive all of the memory it is a part of.
 */
import { limits } from '../core/limits.ts';

/** A chunk of this size is kept as it is, when it is most of what it keeps alive. */
const WORTH_KEEPING_BYTES = 4096;
const FIRST_BUFFER_BYTES = 4096;
const LARGEST_BUFFER_BYTES = 65_536;
const NOTHING = Buffer.alloc(0);

export class Pieces {
  #whole: Buffer[] = [];
  /** The buffer that small chunks are copied to, and how much of it is in use. */
  #open: Buffer = NOTHING;
  #filled = 0;
  #closedBytes = 0;

  get size(): number {
    return this.#closedBytes + this.#filled;
  }

  /** A large chunk belongs to this from now on. */
  add(chunk: Buffer): void {
    const isKept = chunk.length >= WORTH_KEEPING_BYTES && chunk.length * 2 >= chunk.buffer.byteLength;
    if (!isKept) {
      this.#copy(chunk);
      return;
    }
    this.#close();
    this.#closedBytes += chunk.length;
    if (chunk.length <= limits.blobChunkBytes) {
      this.#whole.push(chunk);
      return;
    }
    for (let at = 0; at < chunk.length; at += limits.blobChunkBytes) {
      this.#whole.push(chunk.subarray(at, at + limits.blobChunkBytes));
    }
  }

  /** All that was added, in order; nothing is left here. */
  take(): Buffer[] {
    this.#close();
    const taken = this.#whole;
    this.#whole = [];
    this.#closedBytes = 0;
    return taken;
  }

  #copy(chunk: Buffer): void {
    for (let taken = 0; taken < chunk.length; ) {
      if (this.#filled === this.#open.length) this.#grow(chunk.length - taken);
      const copied = chunk.copy(this.#open, this.#filled, taken);
      this.#filled += copied;
      taken += copied;
    }
  }

  /** More room in the open buffer, or a new one when it is large enough. */
  #grow(wanted: number): void {
    if (this.#filled >= LARGEST_BUFFER_BYTES) this.#close();
    const needed = Math.max(this.#filled + wanted, this.#filled * 2, FIRST_BUFFER_BYTES);
    const grown = Buffer.allocUnsafeSlow(Math.min(LARGEST_BUFFER_BYTES, needed));
    this.#open.copy(grown, 0, 0, this.#filled);
    this.#open = grown;
  }

  #close(): void {
    if (this.#filled === 0) return;
    const bytes = this.#open.subarray(0, this.#filled);
    this.#whole.push(bytes.length * 2 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes);
    this.#closedBytes += this.#filled;
    this.#open = NOTHING;
    this.#filled = 0;
  }
}
