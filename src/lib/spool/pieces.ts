/** Bytes as they come in, collected in slabs: who brings them may use his own memory again at once. */
import { type Slabbed, Slabs } from './slabs.ts';

const NO_SLAB = Buffer.alloc(0);

export class Pieces {
  readonly #slabs: Slabs;
  #full: Buffer[] = [];
  /** Where bytes are copied to, and how much of it is in use. */
  #open: Buffer = NO_SLAB;
  #filled = 0;
  #closedBytes = 0;

  constructor(slabs: Slabs) {
    this.#slabs = slabs;
  }

  get size(): number {
    return this.#closedBytes + this.#filled;
  }

  /** Copies the bytes. */
  add(chunk: Buffer): void {
    for (let taken = 0; taken < chunk.length; ) {
      if (this.#filled === this.#open.length) this.#grow(chunk.length - taken);
      const copied = chunk.copy(this.#open, this.#filled, taken);
      this.#filled += copied;
      taken += copied;
    }
  }

  /** All that was added, in order; nothing is left here. Small bytes are one piece. */
  take(): Slabbed {
    const pieces = [...this.#full];
    if (this.#filled > 0) pieces.push(this.#open.subarray(0, this.#filled));
    const slabs = this.#open === NO_SLAB ? this.#full : [...this.#full, this.#open];
    this.#full = [];
    this.#open = NO_SLAB;
    this.#filled = 0;
    this.#closedBytes = 0;
    return { pieces, slabs };
  }

  /** Forgets all that was added, and nobody else has seen. */
  drop(): void {
    const { slabs } = this.take();
    for (const slab of slabs) this.#slabs.give(slab);
  }

  /** More room in the open slab, or another one when it is of the largest. */
  #grow(wanted: number): void {
    if (this.#filled === Slabs.largestBytes) {
      this.#full.push(this.#open);
      this.#closedBytes += this.#filled;
      this.#open = this.#slabs.take(wanted);
      this.#filled = 0;
      return;
    }
    const old = this.#open;
    this.#open = this.#slabs.take(this.#filled + wanted);
    old.copy(this.#open, 0, 0, this.#filled);
    if (old !== NO_SLAB) this.#slabs.give(old);
  }
}
