/** A body in memory, in the pieces in which it came: nothing was copied to make one buffer of it. Counted against a budget until it is let go. */
import type { Body } from '../core/body.ts';
import { References } from './references.ts';

export class HeldBody implements Body {
  readonly size: number;
  readonly inMemory?: Buffer;
  readonly hasOnlyCrlf: boolean;
  readonly inPieces: readonly Buffer[];
  readonly #references: References;

  /** The creator holds the first reference and gives it back with `release`. Each piece is as small as a chunk has to be. */
  constructor(pieces: readonly Buffer[], hasOnlyCrlf: boolean, onGone: () => void) {
    this.inPieces = pieces;
    this.size = pieces.reduce((sum, { length }) => sum + length, 0);
    const [first] = pieces;
    if (first !== undefined && pieces.length === 1) this.inMemory = first;
    this.hasOnlyCrlf = hasOnlyCrlf;
    this.#references = new References('a body in memory', onGone);
  }

  retain(): () => void {
    return this.#references.retain();
  }

  /** Gives back one reference; with the last one the bytes do not count any longer. */
  release(): void {
    this.#references.release();
  }

  chunks(): AsyncGenerator<Buffer> {
    return this.chunksFrom(0);
  }

  async *chunksFrom(offset: number): AsyncGenerator<Buffer> {
    let skip = offset;
    for (const piece of this.inPieces) {
      if (skip < piece.length) yield skip === 0 ? piece : piece.subarray(skip);
      skip = Math.max(0, skip - piece.length);
    }
  }
}
