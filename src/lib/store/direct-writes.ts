/**
 * Writes files past the system's cache (`O_DIRECT`). A body is written once, synced at once, delivered from memory and kept for a day; a copy of it in the
 * cache is read by nobody, and takes memory that the machine has to find first, which can cost several times what the write itself does.
 *
 * A disk takes whole blocks from memory that begins at a page, so the bytes are copied to such memory first, and the file is cut to its size at the end.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { limits } from '../core/limits.ts';
import { isSystemError } from '../core/storage-trouble.ts';
import { AlignedMemory } from './aligned-memory.ts';

/** A multiple of the block of any disk. */
const BLOCK_BYTES = 4096;
/** How a file system says that it has no such writes. */
const NOT_HERE = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP']);

/** The disk takes less than a block at a time: only the cache can put these together. */
class PartOfBlockError extends Error {
  override readonly name = 'PartOfBlockError';
}

export class DirectWrites {
  #memory: AlignedMemory | undefined;
  #isHere = constants.O_DIRECT !== undefined;

  /** Whether it is worth to ask: on this system, and as far as is known in this folder. */
  get isHere(): boolean {
    return this.#isHere;
  }

  /**
   * Makes the file, or makes it anew, with these bytes, and syncs it. Resolves with `false` when it has to be done another way, from the beginning.
   * Rejects with the error of the file system.
   */
  async write(path: string, pieces: readonly Buffer[]): Promise<boolean> {
    const memory = this.#memoryHere();
    if (memory === undefined) return false;
    const piece = await memory.take();
    try {
      await writeSynced(path, pieces, piece);
      return true;
    } catch (error) {
      if (error instanceof PartOfBlockError) return false;
      if (!isSystemError(error) || !NOT_HERE.has(error.code ?? '')) throw error;
      this.#isHere = false;
      return false;
    } finally {
      memory.give(piece);
    }
  }

  #memoryHere(): AlignedMemory | undefined {
    if (!this.#isHere) return undefined;
    try {
      this.#memory ??= new AlignedMemory(limits.directWrites, limits.blobWriteBytes);
    } catch {
      // A machine that lets programs have little address space.
      this.#isHere = false;
    }
    return this.#memory;
  }
}

async function writeSynced(path: string, pieces: readonly Buffer[], memory: Buffer): Promise<void> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_DIRECT } = constants;
  const file = await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT, 0o600);
  try {
    let [position, filled] = [0, 0];
    for (const piece of pieces) {
      for (let taken = 0; taken < piece.length; ) {
        const copied = piece.copy(memory, filled, taken);
        taken += copied;
        filled += copied;
        if (filled < memory.length) continue;
        await writeBlocks(file, memory, position);
        position += filled;
        filled = 0;
      }
    }
    if (filled > 0) await writeLast(file, memory, filled, position);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** What does not fill its last block: what was in the memory before must not get on the disk, nor stay behind the end of the file. */
async function writeLast(file: FileHandle, memory: Buffer, filled: number, position: number): Promise<void> {
  const wholeBytes = Math.ceil(filled / BLOCK_BYTES) * BLOCK_BYTES;
  memory.fill(0, filled, wholeBytes);
  await writeBlocks(file, memory.subarray(0, wholeBytes), position);
  if (wholeBytes > filled) await file.truncate(position + filled);
}

/** A disk may take less at a time than it was given; of a block that it took a part of, it is given all again. */
async function writeBlocks(file: FileHandle, blocks: Buffer, position: number): Promise<void> {
  for (let done = 0; done < blocks.length; ) {
    const { bytesWritten } = await file.write(blocks, done, blocks.length - done, position + done);
    const whole = Math.floor(bytesWritten / BLOCK_BYTES) * BLOCK_BYTES;
    if (whole === 0) throw new PartOfBlockError(`${bytesWritten} bytes were written`);
    done += whole;
  }
}
