/**
 * Memory for message bytes that is used again. What a message lies in is outside of the heap of JavaScript but counts for the limit at which its
 * collector looks through the whole heap: new memory for each message means to do so several times a second.
 *
 * Whoever gives a slab back says that nobody can see it any more, because the next message is written into it. So a slab is given back only by who
 * knows all its readers (`HeldBody`); whatever is in doubt is left to the collector, which costs time and nothing else.
 */
import { limits } from '../core/limits.ts';

/** A message wastes a third of its memory at most, beyond the smallest. */
const SIZES_KB = [4, 6, 8, 12, 16, 24, 32, 48, 64] as const;
const LARGEST_BYTES = 65_536;

export interface SlabsOptions {
  /** What is kept for later, at most. */
  readonly idleBytes?: number;
  /** Is shown each slab that is given back: a test writes rubbish to it, which must never be seen again. */
  readonly onGivenBack?: (slab: Buffer) => void;
}

export class Slabs {
  /** The largest that there is. */
  static readonly largestBytes = LARGEST_BYTES;
  readonly #limitBytes: number;
  readonly #onGivenBack: ((slab: Buffer) => void) | undefined;
  /** By size. What was used last is used first: the processor may still have it at hand. */
  readonly #idle: readonly Buffer[][] = SIZES_KB.map(() => []);
  #idleBytes = 0;

  constructor({ idleBytes = limits.idleSlabBytes, onGivenBack }: SlabsOptions = {}) {
    this.#limitBytes = idleBytes;
    this.#onGivenBack = onGivenBack;
  }

  get idleBytes(): number {
    return this.#idleBytes;
  }

  /** A slab of at least so many bytes, or the largest; whatever is in it is nobody's. */
  take(bytes: number): Buffer {
    const index = indexOf(bytes);
    const slab = this.#idle[index]?.pop();
    if (slab === undefined) return Buffer.allocUnsafeSlow((SIZES_KB[index] as number) * 1024);
    this.#idleBytes -= slab.length;
    return slab;
  }

  /** Nobody has it, or a part of it, any more: it is written to again. Only slabs as they were taken. */
  give(slab: Buffer): void {
    this.#onGivenBack?.(slab);
    if (this.#idleBytes + slab.length > this.#limitBytes) return;
    this.#idleBytes += slab.length;
    this.#idle[indexOf(slab.length)]?.push(slab);
  }
}

/** Of the smallest that has room for so many bytes, or of the largest. */
function indexOf(bytes: number): number {
  let index = 0;
  while (index < SIZES_KB.length - 1 && (SIZES_KB[index] as number) * 1024 < bytes) index += 1;
  return index;
}

/** Bytes in memory that may be used again, and what they lie in. */
export interface Slabbed {
  /** Parts of the slabs, in order. */
  readonly pieces: readonly Buffer[];
  readonly slabs: readonly Buffer[];
}
