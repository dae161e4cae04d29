/**
 * Write-behind for the history rows of conversations that needed no durability: they join the next commit, or get one of their own after
 * a short pause. A crash loses the newest of them, which costs a line of history and no mail.
 */
import type { Clock, Log } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { GroupCommit, Waiting } from './group-commit.ts';
import type { Planned } from './plan.ts';
import type { Operation } from './sql/index.ts';
import { StoreUnavailableError } from './store.ts';

export class History {
  readonly #group: GroupCommit;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #closing = new AbortController();
  #backlog: Planned[] = [];
  #backlogBytes = 0;
  /** What was handed over to a commit that has not come back. */
  readonly #writing = new Set<Handover>();
  #isPausing = false;
  #failure: Error | undefined;

  constructor(group: GroupCommit, clock: Clock, log: Log) {
    this.#group = group;
    this.#clock = clock;
    this.#log = log;
    group.onCollect = () => this.#join();
  }

  /** Rows that are not handed to a commit yet. */
  get backlog(): number {
    return this.#backlog.length;
  }

  add(row: Planned): void {
    this.#keep(row);
    this.#schedule();
  }

  /** Resolves when everything added so far is written; rejects when the database would not take it. */
  async flush(): Promise<void> {
    this.#failure = undefined;
    while (this.#backlog.length > 0 || this.#writing.size > 0) {
      this.#join();
      this.#group.wake();
      await Promise.all([...this.#writing].map(({ ended }) => ended));
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  close(): void {
    this.#closing.abort();
  }

  #keep(row: Planned): void {
    this.#backlog.push(row);
    this.#backlogBytes += row.sizeBytes;
    let excess = 0;
    while (this.#backlog.length > limits.storeHistoryBacklog || this.#backlogBytes > limits.storeHistoryBytes) {
      this.#backlogBytes -= this.#backlog.shift()?.sizeBytes ?? 0;
      excess += 1;
    }
    if (excess > 0) this.#log.warn({ rows: excess }, 'history rows dropped: the database takes no writes');
  }

  #schedule(): void {
    if (this.#isPausing || this.#closing.signal.aborted) return;
    this.#isPausing = true;
    void this.#clock.sleep(limits.storeHistoryPauseMs, this.#closing.signal).then(() => {
      this.#isPausing = false;
      if (this.#closing.signal.aborted || this.#backlog.length === 0) return;
      this.#join();
      this.#group.wake();
    });
  }

  /** Hands the backlog to the batch that is being made. */
  #join(): void {
    if (this.#backlog.length === 0) return;
    const rows = this.#backlog;
    this.#backlog = [];
    this.#backlogBytes = 0;
    const handover = new Handover(rows.length, (ended) => this.#ended(ended));
    this.#writing.add(handover);
    for (const row of rows) this.#group.join(new HistoryWrite(row, handover));
  }

  #ended(handover: Handover): void {
    this.#writing.delete(handover);
    const { failure, again } = handover;
    if (failure === undefined) return;
    this.#failure = failure;
    this.#log.warn({ error: failure.message, later: again.length }, 'cannot write history');
    if (again.length === 0 || this.#closing.signal.aborted) return;
    for (const row of again) this.#keep(row);
    this.#schedule();
  }
}

/** Rows that went into one batch, counted as they come back: one promise for all of them. */
class Handover {
  readonly ended: Promise<void>;
  /** Those that a database in trouble has not taken. */
  readonly again: Planned[] = [];
  failure: Error | undefined;
  #open: number;
  #end: () => void = () => undefined;

  constructor(count: number, onEnd: (handover: Handover) => void) {
    this.#open = count;
    this.ended = new Promise((resolve) => {
      this.#end = () => {
        onEnd(this);
        resolve();
      };
    });
  }

  isBack(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#end();
  }

  failed(row: Planned, error: Error): void {
    this.failure ??= error;
    if (error instanceof StoreUnavailableError) this.again.push(row);
    this.isBack();
  }
}

class HistoryWrite implements Waiting {
  readonly operation: Operation;
  readonly sizeBytes: number;
  readonly #row: Planned;
  readonly #handover: Handover;

  constructor(row: Planned, handover: Handover) {
    this.operation = { verb: 'createTransactions', args: row.plan };
    this.sizeBytes = row.sizeBytes;
    this.#row = row;
    this.#handover = handover;
  }

  resolve(): void {
    this.#handover.isBack();
  }

  reject(error: Error): void {
    this.#handover.failed(this.#row, error);
  }
}
