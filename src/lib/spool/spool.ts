/**
 * The directory where messages wait that are too large for memory. A file loses its name as soon as it is open: a process that is killed
 * leaves nothing behind, and nobody else can open the message.
 */
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Body } from '../core/body.ts';
import type { Deps } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import { HeldBody } from './held-body.ts';
import { MemoryBudget } from './memory-budget.ts';
import { Slabs } from './slabs.ts';
import { SpoolWriter, type SpoolWriterOptions } from './spool-writer.ts';

const PREFIX = 'koukan-spool-';

export interface WriterAsk {
  readonly maxBytes: number;
  /** Up to this size, and no further, it stays in memory whatever else does; else `limits.bodyHeldBytes`, when all together are not too many. */
  readonly inMemoryBytes?: number;
}

export class Spool {
  readonly directory: string;
  readonly #rng: Deps['rng'];
  readonly #budget: MemoryBudget;
  /** What is the same for all of its writers. */
  readonly #shared: Required<Omit<SpoolWriterOptions, 'maxBytes' | 'unaskedBytes' | 'inMemoryBytes'>>;
  #bytes = 0;

  /** `inMemoryBytes`: what all bodies may hold in memory together; `slabs`: what they lie in. */
  constructor(
    directory: string,
    deps: Pick<Deps, 'rng' | 'log'>,
    inMemoryBytes: number = limits.bodiesInMemoryBytes,
    slabs: Slabs = new Slabs(),
  ) {
    this.#budget = new MemoryBudget(inMemoryBytes);
    this.directory = directory;
    this.#rng = deps.rng;
    this.#shared = {
      budget: this.#budget,
      slabs,
      openFile: () => this.#openUnnamed(),
      onStored: (bytes) => {
        this.#bytes += bytes;
      },
      onCloseFailed: (error) => deps.log.error({ error }, 'a spool file could not be closed'),
    };
  }

  /**
   * Makes the directory and removes files that a crash left between open and unlink. Safe while other processes use the directory: theirs
   * need no name any more. Rejects with the error of the file system.
   */
  async prepare(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.directory)) {
      if (name.startsWith(PREFIX)) await unlinkIfThere(join(this.directory, name));
    }
  }

  /** What lies in files now. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  /** Of this, what lies in memory now. */
  get inMemoryBytes(): number {
    return this.#budget.usedBytes;
  }

  /**
   * The same body, counted with all others until it is let go, and held by the caller first; `undefined` when there is no room for it, or it
   * lies nowhere in memory.
   */
  hold({ inMemory, size, hasOnlyCrlf = false }: Body): HeldBody | undefined {
    if (inMemory === undefined || size > limits.bodyHeldBytes || !this.#budget.take(size)) return undefined;
    return new HeldBody({ pieces: [inMemory], hasOnlyCrlf, onGone: () => this.#budget.give(size) });
  }

  writer(ask: WriterAsk): SpoolWriter {
    const { budget, slabs, openFile, onStored, onCloseFailed } = this.#shared;
    return new SpoolWriter({
      maxBytes: ask.maxBytes,
      unaskedBytes: ask.inMemoryBytes ?? limits.bodyUnaskedBytes,
      inMemoryBytes: ask.inMemoryBytes ?? limits.bodyHeldBytes,
      budget,
      slabs,
      openFile,
      onStored,
      onCloseFailed,
    });
  }

  async #openUnnamed(): Promise<FileHandle> {
    const path = join(this.directory, `${PREFIX}${this.#rng.bytes(16).toString('hex')}`);
    const file = await open(path, 'wx+', 0o600);
    try {
      await unlinkIfThere(path);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }
}

/** Files of other users, in a directory that is shared, are theirs to remove. */
async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EPERM' && code !== 'EACCES') throw error;
  }
}
