/** A body whose bytes lie in an open file that has no name any more: the disk space is free again as soon as the last reference goes. */
import type { FileHandle } from 'node:fs/promises';
import type { Body } from '../core/body.ts';
import { must } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { References } from './references.ts';

export interface SpooledBytes {
  readonly file: FileHandle;
  readonly size: number;
  readonly hasOnlyCrlf: boolean;
  readonly onCloseFailed: (error: unknown) => void;
  readonly onGone: () => void;
}

export class SpooledBody implements Body {
  readonly size: number;
  readonly hasOnlyCrlf: boolean;
  readonly #file: FileHandle;
  readonly #references: References;

  /** The creator holds the first reference and gives it back with `release`. */
  constructor({ file, size, hasOnlyCrlf, onCloseFailed, onGone }: SpooledBytes) {
    this.#file = file;
    this.size = size;
    this.hasOnlyCrlf = hasOnlyCrlf;
    this.#references = new References('a spooled body', () => {
      file.close().catch(onCloseFailed);
      onGone();
    });
  }

  retain(): () => void {
    return this.#references.retain();
  }

  /** Gives back one reference; with the last one the file is gone. */
  release(): void {
    this.#references.release();
  }

  chunks(): AsyncGenerator<Buffer> {
    return this.chunksFrom(0);
  }

  /** Positions are explicit, so any number of readers may run at once; each keeps the file open while it runs. */
  async *chunksFrom(offset: number): AsyncGenerator<Buffer> {
    const release = this.retain();
    try {
      for (let position = offset; position < this.size; ) {
        const wanted = Math.min(limits.blobChunkBytes, this.size - position);
        const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(wanted), 0, wanted, position);
        must(bytesRead > 0, 'a spool file is never shorter than what was written to it');
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      release();
    }
  }
}
