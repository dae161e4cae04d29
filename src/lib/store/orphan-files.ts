/**
 * Files of bodies whose rows are gone: of a commit after which there was no time to remove them, or of a later state of the database than the one
 * that was put back.
 *
 * Ids of blobs are given once, in their order, and a file is made after its row was committed. So nothing that is stored from now on has an id up
 * to the highest one there is: only such files may be removed while others are written. A file with a higher id is of a state that is not this
 * database's, and its name will be given to somebody else's body: it is removed before anything is stored.
 */
import type { Clock, Log } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import { isSystemError } from '../core/storage-trouble.ts';
import type { BodyFiles } from './body-files.ts';
import type { Engine } from './engine.ts';

export class OrphanFiles {
  readonly #files: BodyFiles;
  readonly #engine: Engine;
  readonly #clock: Clock;
  #soughtAt: number | undefined;

  constructor(files: BodyFiles, engine: Engine, clock: Clock) {
    this.#files = files;
    this.#engine = engine;
    this.#clock = clock;
  }

  /** At the first collection after a start, and then now and then. */
  async removeWhenDue(): Promise<void> {
    const now = this.#clock.monotonicMs();
    if (this.#soughtAt !== undefined && now - this.#soughtAt < limits.orphanFilesMs) return;
    this.#soughtAt = now;
    // In this order: an id that is given after it was asked for the newest is not looked at, whatever lies under its name.
    const newest = await this.#engine.read('newestBlobId', undefined);
    const ids = (await this.#files.list()).filter((id) => id <= newest);
    for (let at = 0; at < ids.length; at += limits.orphanFilesRead) {
      const some = ids.slice(at, at + limits.orphanFilesRead);
      const known = new Set(await this.#engine.read('fileBlobs', some));
      await this.#files.remove(some.filter((id) => !known.has(id)));
    }
  }
}

/** Files of a later state of the database: before anything is stored. Rejects when the database cannot be read. */
export async function removeLaterFiles(files: BodyFiles, engine: Engine, log: Log): Promise<void> {
  try {
    // In this order: should another process store something just now, its row is older than its file.
    const ids = await files.list();
    if (ids.length === 0) return;
    const newest = await engine.read('newestBlobId', undefined);
    const later = ids.filter((id) => id > newest);
    if (later.length === 0) return;
    await files.remove(later);
    log.warn({ files: later.length }, 'removed bodies of a later state of the database');
  } catch (error) {
    if (!isSystemError(error)) throw error;
    // Who is given such a name writes over the file.
    log.warn({ error: error.message }, 'bodies of a later state of the database cannot be removed');
  }
}
