/**
 * A body in memory, in the pieces in which it came: nothing was copied to make one buffer of it. Counted against a budget until it is let go.
 *
 *   held ──lend, give back──▶ held ──last reference and last loan gone──▶ its slabs are given back, and belong to the next message
 *     └──read in any other way──▶ seen: its slabs are left to the garbage collector
 */
import type { Body, Loan } from '../core/body.ts';
import { must } from '../core/errors.ts';
import { References } from './references.ts';
import type { Slabs } from './slabs.ts';

export interface HeldBytes {
  /** In order; each is as small as a chunk has to be. */
  readonly pieces: readonly Buffer[];
  readonly hasOnlyCrlf: boolean;
  /** Called once, with the last reference: the bytes do not count any longer. */
  readonly onGone: () => void;
  /** What the pieces lie in, and where that is given back when certainly nobody can see it any more. */
  readonly memory?: HeldMemory;
}

export interface HeldMemory {
  readonly slabs: readonly Buffer[];
  readonly from: Slabs;
}

const NOTHING: readonly Buffer[] = [];

export class HeldBody implements Body {
  readonly size: number;
  readonly hasOnlyCrlf: boolean;
  readonly #references: References;
  readonly #isOnePiece: boolean;
  /** Let go of when they are given back: who keeps the body for its size keeps nothing else alive. */
  #pieces: readonly Buffer[];
  #memory: HeldMemory | undefined;
  #loans = 0;
  #isGone = false;
  #isSeen = false;

  /** The creator holds the first reference and gives it back with `release`. */
  constructor({ pieces, hasOnlyCrlf, onGone, memory }: HeldBytes) {
    this.#pieces = pieces;
    this.#isOnePiece = pieces.length === 1;
    this.size = pieces.reduce((sum, { length }) => sum + length, 0);
    this.hasOnlyCrlf = hasOnlyCrlf;
    this.#memory = memory;
    this.#references = new References('a body in memory', () => {
      this.#isGone = true;
      onGone();
      this.#letGo();
    });
  }

  get inMemory(): Buffer | undefined {
    return this.#isOnePiece ? this.#shown()[0] : undefined;
  }

  get inPieces(): readonly Buffer[] {
    return this.#shown();
  }

  retain(): () => void {
    return this.#references.retain();
  }

  /** Gives back one reference; with the last one the bytes do not count any longer. */
  release(): void {
    this.#references.release();
  }

  lend(): Loan {
    must(!this.#isGone, 'a body in memory is lent only while somebody still holds it');
    this.#loans += 1;
    let isOut = true;
    const giveBack = (): void => {
      must(isOut, 'a loan is given back once');
      isOut = false;
      this.#loans -= 1;
      this.#letGo();
    };
    return { pieces: this.#pieces, giveBack };
  }

  chunks(): AsyncGenerator<Buffer> {
    return this.chunksFrom(0);
  }

  chunksFrom(offset: number): AsyncGenerator<Buffer> {
    return readFrom(this.#shown(), offset);
  }

  /** From now on nobody knows who looks at them. */
  #shown(): readonly Buffer[] {
    must(this.#isSeen || !this.#isGone, 'a body in memory is read only while somebody still holds it');
    this.#isSeen = true;
    return this.#pieces;
  }

  #letGo(): void {
    const memory = this.#memory;
    if (memory === undefined || !this.#isGone || this.#loans > 0 || this.#isSeen) return;
    this.#pieces = NOTHING;
    this.#memory = undefined;
    for (const slab of memory.slabs) memory.from.give(slab);
  }
}

async function* readFrom(pieces: readonly Buffer[], offset: number): AsyncGenerator<Buffer> {
  let skip = offset;
  for (const piece of pieces) {
    if (skip < piece.length) yield skip === 0 ? piece : piece.subarray(skip);
    skip = Math.max(0, skip - piece.length);
  }
}
