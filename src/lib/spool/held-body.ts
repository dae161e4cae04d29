/**
 * A body in memory, in the pieces in which it came: nothing was copied to make one buffer of it. Counted against a budget until it is let go.
 *
 *   held ──lend, give back──▶ held ──last reference and last loan gone──▶ its slabs are given back, and belong to the next message
 *     └──read in any other way──▶ seen: its slabs are left to the garbage collector
 */
import type { Body, Loan } from '../core/body.ts';
import { must } from '../core/errors.ts';
import { References } from './references.ts';

export interface HeldBytes {
  /** In order; each is as small as a chunk has to be. */
  readonly pieces: readonly Buffer[];
  readonly hasOnlyCrlf: boolean;
  /** Called once, with the last reference: the bytes do not count any longer. */
  readonly onGone: () => void;
  /** Called once, when certainly nobody can see the bytes any more; never when that is not certain. */
  readonly onUnseen?: () => void;
}

export class HeldBody implements Body {
  readonly size: number;
  readonly hasOnlyCrlf: boolean;
  readonly #pieces: readonly Buffer[];
  readonly #references: References;
  readonly #onUnseen: (() => void) | undefined;
  #loans = 0;
  #isGone = false;
  #isSeen = false;

  /** The creator holds the first reference and gives it back with `release`. */
  constructor({ pieces, hasOnlyCrlf, onGone, onUnseen }: HeldBytes) {
    this.#pieces = pieces;
    this.size = pieces.reduce((sum, { length }) => sum + length, 0);
    this.hasOnlyCrlf = hasOnlyCrlf;
    this.#onUnseen = onUnseen;
    this.#references = new References('a body in memory', () => {
      this.#isGone = true;
      onGone();
      this.#letGo();
    });
  }

  get inMemory(): Buffer | undefined {
    return this.#pieces.length === 1 ? this.#shown()[0] : undefined;
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
    if (this.#isGone && this.#loans === 0 && !this.#isSeen) this.#onUnseen?.();
  }
}

async function* readFrom(pieces: readonly Buffer[], offset: number): AsyncGenerator<Buffer> {
  let skip = offset;
  for (const piece of pieces) {
    if (skip < piece.length) yield skip === 0 ? piece : piece.subarray(skip);
    skip = Math.max(0, skip - piece.length);
  }
}
