/**
 * What the delivery journal is to note with the next commit, whoever causes that. It is only about what a crash would leave in doubt, so the
 * note of an attempt whose outcome comes before the commit is not written at all.
 */
import type { Log } from '../core/deps.ts';
import type { GroupCommit } from './group-commit.ts';
import type { DotRow } from './sql/mark-dot-sent.ts';
import { StoreUnavailableError } from './store.ts';

export class DotNotes {
  readonly #group: GroupCommit;
  readonly #log: Log;
  /** By transaction. As many as attempts are under way. */
  readonly #notes = new Map<string, DotRow>();

  constructor(group: GroupCommit, log: Log) {
    this.#group = group;
    this.#log = log;
    group.onCollect(() => this.#join());
  }

  add(note: DotRow): void {
    this.#notes.set(note.txId, note);
  }

  /** There is an outcome, so there is nothing to note, unless `recorded` rejects: then the outcome dies with this process, and the doubt must not. */
  unlessRecorded(txId: string, recorded: Promise<void>): Promise<void> {
    const note = this.#notes.get(txId);
    if (note === undefined) return recorded;
    this.#notes.delete(txId);
    return recorded.catch((error: unknown) => {
      this.#addAgain(note);
      throw error;
    });
  }

  /** A later attempt's note stands. */
  #addAgain(note: DotRow): void {
    if (!this.#notes.has(note.txId)) this.#notes.set(note.txId, note);
  }

  #join(): void {
    if (this.#notes.size === 0) return;
    const writes = [...this.#notes].map(([tx, args]) => ({
      operation: { verb: 'markDotSent', args } as const,
      sizeBytes: 0,
      resolve: () => undefined,
      reject: (error: Error) => {
        if (error instanceof StoreUnavailableError) this.#addAgain(args);
        else this.#log.warn({ tx, error }, 'the delivery journal has a note less');
      },
    }));
    this.#notes.clear();
    // Before what is written about the same transactions meanwhile: who gives one of them back tells the next about the note, too.
    this.#group.joinNext(writes);
  }
}
