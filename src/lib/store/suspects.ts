/**
 * Lines of history whose batch was not committed. It may be the database that is in trouble, or one of them that is its trouble: so they are
 * written by themselves, where they can harm nobody who waits for a commit. As long as nothing else is committed either they only wait. Once
 * something is, a failure is theirs: fewer and fewer are tried at once, until the one is alone, and soon given up.
 */
import type { Log } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { GroupCommit } from './group-commit.ts';
import { Handover } from './handover.ts';
import type { Planned } from './plan.ts';

/** What was tried last and was not committed. */
interface Failure {
  readonly rows: readonly Planned[];
  readonly error: Error;
  /** Commits of everybody at that time. */
  readonly commits: number;
}

export class Suspects {
  readonly #group: GroupCommit;
  readonly #log: Log;
  /** With how often each has failed alone. */
  readonly #rows = new Map<Planned, number>();
  #sizeBytes = 0;
  #atOnce: number = limits.storeBatchOperations;
  #isWriting = false;
  #failure: Failure | undefined;

  constructor(group: GroupCommit, log: Log) {
    this.#group = group;
    this.#log = log;
  }

  get count(): number {
    return this.#rows.size;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  add(rows: readonly Planned[]): void {
    for (const row of rows) this.#push(row, 0);
  }

  /** Forgets the oldest. */
  drop(): void {
    for (const row of this.#rows.keys()) {
      this.#take(row);
      return;
    }
  }

  /** Some of them, to be written now; `undefined` while others of them are, or when there are none. */
  next(onEnd: (handover: Handover) => void): Handover | undefined {
    if (this.#isWriting) return undefined;
    this.#judge();
    const rows = this.#some();
    if (rows.length === 0) return undefined;
    this.#isWriting = true;
    return new Handover(rows, (ended) => {
      this.#isWriting = false;
      this.#ended(rows, ended);
      onEnd(ended);
    });
  }

  #some(): readonly Planned[] {
    const rows: Planned[] = [];
    let sizeBytes = 0;
    for (const row of this.#rows.keys()) {
      sizeBytes += row.sizeBytes;
      if (rows.length >= this.#atOnce || (rows.length > 0 && sizeBytes > limits.storeBatchBytes)) break;
      rows.push(row);
    }
    return rows;
  }

  #ended(rows: readonly Planned[], { again, failure }: Handover): void {
    if (again.length > 0 && failure !== undefined) {
      this.#failure = { rows, error: failure, commits: this.#group.stats.commits };
      return;
    }
    // Written, or refused for good, which is logged by who hears of it.
    for (const row of rows) this.#take(row);
    this.#atOnce = Math.min(2 * this.#atOnce, limits.storeBatchOperations);
  }

  /** Whether the last failure was theirs: something else has been committed since. */
  #judge(): void {
    const failure = this.#failure;
    if (failure === undefined || this.#group.stats.commits === failure.commits) return;
    this.#failure = undefined;
    const [row] = failure.rows;
    if (failure.rows.length > 1 || row === undefined) {
      this.#atOnce = Math.ceil(failure.rows.length / 2);
      return;
    }
    const tries = (this.#take(row) ?? limits.storeHistoryTries) + 1;
    if (tries < limits.storeHistoryTries) this.#push(row, tries);
    else if (tries === limits.storeHistoryTries)
      this.#log.error({ error: failure.error.message }, 'a line of history was given up: the database takes others');
  }

  #push(row: Planned, tries: number): void {
    this.#rows.set(row, tries);
    this.#sizeBytes += row.sizeBytes;
  }

  /** Answers how often it had failed alone; `undefined` when it has been forgotten meanwhile. */
  #take(row: Planned): number | undefined {
    const tries = this.#rows.get(row);
    if (this.#rows.delete(row)) this.#sizeBytes -= row.sizeBytes;
    return tries;
  }
}
