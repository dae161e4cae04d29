/**
 * Files of bodies whose rows went in a commit after which there was no time to remove them. Looked for at the first collection after a start, and then
 * now and then.
 */
import type { Clock } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
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

  async removeWhenDue(): Promise<void> {
    const now = this.#clock.monotonicMs();
    if (this.#soughtAt !== undefined && now - this.#soughtAt < limits.orphanFilesMs) return;
    this.#soughtAt = now;
    const ids = await this.#files.list();
    for (let at = 0; at < ids.length; at += limits.orphanFilesRead) {
      const some = ids.slice(at, at + limits.orphanFilesRead);
      // A row is committed before its file is made, so a file that was seen has one unless it was deleted.
      const known = new Set(await this.#engine.read('fileBlobs', some));
      await this.#files.remove(some.filter((id) => !known.has(id)));
    }
  }
}
