/**
 * Large bodies beside the database (SQLite): one file each, named after its blob's row. A row in the database costs the bytes three times, in the
 * log, in the file and in checksums; a file costs them once.
 *
 * The order is what makes it safe. The row is committed first, with nobody referring to it; then the file is written and synced, and its folder; then
 * the commit that creates the transaction refers to the row. So who finds a reference finds all bytes, who finds a file without a row may delete it, and
 * what a crash leaves in between is garbage that is collected like any other.
 */
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Body } from '../core/body.ts';
import { must, StoreUnavailableError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { isSystemError } from '../core/storage-trouble.ts';
import { DirectWrites } from './direct-writes.ts';
import { fileBody } from './file-body.ts';

/** Codes of the operating system that mean want of space. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export class BodyFiles {
  readonly #folder: string;
  readonly #direct = new DirectWrites();
  #made: Promise<void> | undefined;
  /** A sync of the folder that has not begun yet: whoever has made a file meanwhile waits for the same one. */
  #nextSync: Promise<void> | undefined;
  #lastSync: Promise<void> = Promise.resolve();
  /** Creates whose files may be there although nobody refers to them yet. */
  readonly underWay = new Set<{ readonly since: number; readonly sizeBytes: number }>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Resolves when all bytes, and the name of the file, are on the disk. Rejects with `StoreUnavailableError`, and then nothing is promised. */
  async write(blobId: number, body: Body): Promise<void> {
    try {
      this.#made ??= this.#make();
      await this.#made;
      await this.#writeSynced(this.#path(blobId), body);
      await this.#syncFolder();
    } catch (error) {
      this.#made = undefined;
      await this.discard([blobId]);
      if (!isSystemError(error)) throw error;
      const isFull = FULL.has(error.code ?? '');
      throw new StoreUnavailableError(`cannot write to ${this.#folder}: ${error.message}`, { cause: error, isFull });
    }
  }

  open(blobId: number, size: number): Body {
    return fileBody(this.#path(blobId), size);
  }

  /** Removes the files of blobs whose rows are gone. */
  async remove(blobIds: readonly number[]): Promise<void> {
    for (const id of blobIds) await unlinkIfThere(this.#path(id));
  }

  /** The same as far as the disk lets us: what is left goes with its row. */
  async discard(blobIds: readonly number[]): Promise<void> {
    try {
      await this.remove(blobIds);
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
  }

  /** Files that nobody refers to are garbage when their rows are older than this. */
  unusedBefore(now: number): number {
    let before = now - limits.unusedFileMs;
    for (const { since } of this.underWay) before = Math.min(before, since);
    return before;
  }

  /** What may not be on the disk yet. */
  get underWayBytes(): number {
    let sum = 0;
    for (const { sizeBytes } of this.underWay) sum += sizeBytes;
    return sum;
  }

  /** The blobs that have a file now. */
  async list(): Promise<readonly number[]> {
    try {
      return (await readdir(this.#folder)).filter((name) => /^[0-9]{1,15}$/.test(name)).map(Number);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  #path(blobId: number): string {
    return join(this.#folder, String(blobId));
  }

  async #make(): Promise<void> {
    const first = await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    if (first !== undefined) await syncPath(dirname(this.#folder));
  }

  /** What lies in memory goes straight to the disk, where that can be; its memory serves the next message. */
  async #writeSynced(path: string, body: Body): Promise<void> {
    // Held to the end: who made it may let go of it between the two ways to write it.
    const release = body.retain();
    try {
      if (!(await this.#wroteDirectly(path, body))) await writeSynced(path, body);
    } finally {
      release();
    }
  }

  async #wroteDirectly(path: string, body: Body): Promise<boolean> {
    const loan = this.#direct.isHere ? body.lend?.() : undefined;
    if (loan === undefined) return false;
    try {
      must(bytesIn(loan.pieces) === body.size, 'a body is as long as it says');
      const isWritten = await this.#direct.write(path, loan.pieces);
      if (isWritten) await loan.mayEnd?.();
      return isWritten;
    } finally {
      loan.giveBack();
    }
  }

  /** One at a time, each for all files that were made before it began. */
  #syncFolder(): Promise<void> {
    this.#nextSync ??= this.#lastSync.then(() => {
      this.#nextSync = undefined;
      const sync = syncPath(this.#folder);
      this.#lastSync = sync.catch(() => undefined);
      return sync;
    });
    return this.#nextSync;
  }
}

function bytesIn(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

async function writeSynced(path: string, body: Body): Promise<void> {
  // A file of this name can only be left from a database that was put back to an earlier state.
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'w', 0o600);
    const written = await writeBody(file, body);
    must(written === body.size, 'a body is as long as it says');
    await file.datasync();
  } finally {
    await file?.close();
  }
}

/** Answers how many bytes there were. What lies in memory is only borrowed for the write, so that its memory serves the next message. */
async function writeBody(file: FileHandle, body: Body): Promise<number> {
  const loan = body.lend?.();
  if (loan === undefined) return writeChunks(file, body);
  try {
    const written = await writeAll(file, loan.pieces, 0);
    await loan.mayEnd?.();
    return written;
  } finally {
    loan.giveBack();
  }
}

/** Piece by piece: memory holds no more than one write. */
async function writeChunks(file: FileHandle, body: Body): Promise<number> {
  let position = 0;
  let held: Buffer[] = [];
  let heldBytes = 0;
  const flush = async (): Promise<void> => {
    position = await writeAll(file, held, position);
    held = [];
    heldBytes = 0;
  };
  for await (const chunk of body.chunks()) {
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes >= limits.blobWriteBytes) await flush();
  }
  if (heldBytes > 0) await flush();
  return position;
}

/** Answers where they end. A disk may take less at a time than it was given. */
async function writeAll(file: FileHandle, buffers: readonly Buffer[], position: number): Promise<number> {
  let [left, at] = [[...buffers], position];
  while (left.length > 0) {
    const { bytesWritten } = await file.writev(left, at);
    at += bytesWritten;
    let skip = bytesWritten;
    left = left.flatMap((buffer) => {
      const skipped = Math.min(skip, buffer.length);
      skip -= skipped;
      return skipped === buffer.length ? [] : [buffer.subarray(skipped)];
    });
  }
  return at;
}

async function syncPath(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
