/**
 * What the delivery journal is to note with the next commit, whoever causes that. It is only about what a crash would leave in doubt, so the
 * note of an attempt whose outcome comes before the commit is not written at all.
 */
import type { Log } from '../core/deps.ts';
import type { GroupCommit, Waiting } from './group-commit.ts';
import type { DotRow } from './sql/mark-dot-sent.ts';
import { StoreUnavailableError } from './store.ts';

/** A note whose commit failed. */
interface Suspect {
  readonly note: DotRow;
  /** Commits of everybody until then. */
  readonly commits: number;
}

export class DotNotes {
  readonly #group: GroupCommit;
  readonly #log: Log;
  /** By transaction. As many as attempts are under way. */
  readonly #notes = new Map<string, DotRow>();
  /**
   * Whose batch was not committed. It may be the database that is in trouble, or the row of one of them (somebody holds its lock, say): so they
   * are tried by themselves, where they can harm nobody who waits for a commit, and given up when everybody else's go well.
   */
  readonly #suspects = new Map<string, Suspect>();

  constructor(group: GroupCommit, log: Log) {
    this.#group = group;
    this.#log = log;
    group.onCollect(() => this.#join());
  }

  add(note: DotRow): void {
    this.#suspects.delete(note.txId);
    this.#notes.set(note.txId, note);
  }

  /** There is an outcome, so there is nothing to note, unless `recorded` rejects: then the outcome dies with this process, and the doubt must not. */
  unlessRecorded(txId: string, recorded: Promise<void>): Promise<void> {
    const note = this.#notes.get(txId);
    const suspect = this.#suspects.get(txId);
    if (note === undefined && suspect === undefined) return recorded;
    this.#notes.delete(txId);
    this.#suspects.delete(txId);
    return recorded.catch((error: unknown) => {
      // A later attempt's note stands.
      if (!this.#isNoted(txId)) {
        if (note !== undefined) this.#notes.set(txId, note);
        else if (suspect !== undefined) this.#suspects.set(txId, suspect);
      }
      throw error;
    });
  }

  #isNoted(txId: string): boolean {
    return this.#notes.has(txId) || this.#suspects.has(txId);
  }

  #join(): void {
    const suspects = [...this.#suspects.values()];
    this.#suspects.clear();
    if (suspects.length > 0)
      this.#group.joinApart(suspects.map(({ note, commits }) => this.#write(note, () => commits)));
    if (this.#notes.size === 0) return;
    const writes = [...this.#notes.values()].map((note) => this.#write(note, () => this.#group.stats.commits));
    this.#notes.clear();
    // Before what is written about the same transactions meanwhile: who gives one of them back tells the next about the note, too.
    this.#group.joinNext(writes);
  }

  /** `commitsBefore`: those before its first failure, when it has failed. */
  #write(note: DotRow, commitsBefore: () => number): Waiting {
    return {
      operation: { verb: 'markDotSent', args: note },
      sizeBytes: 0,
      resolve: () => undefined,
      reject: (error: Error) => {
        const commits = commitsBefore();
        const othersGoWell = commits !== this.#group.stats.commits;
        if (error instanceof StoreUnavailableError && !othersGoWell) {
          if (!this.#isNoted(note.txId)) this.#suspects.set(note.txId, { note, commits });
        } else this.#log.warn({ tx: note.txId, error }, 'the delivery journal has a note less');
      },
    };
  }
}
