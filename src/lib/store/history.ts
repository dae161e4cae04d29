/**
 * Write-behind for the history rows of conversations that needed no durability: they join the next commit, or get one of their own after
 * a short pause. A crash loses the newest of them, which costs a line of history and no mail.
 */
import type { Clock, Log } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { GroupCommit } from './group-commit.ts';
import type { CreatePlan } from './sql/create-transactions.ts';
import { StoreUnavailableError } from './store.ts';

interface HistoryRow {
  readonly plan: CreatePlan;
  readonly sizeBytes: number;
}

export class History {
  readonly #group: GroupCommit;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #closing = new AbortController();
  #backlog: HistoryRow[] = [];
  #backlogBytes = 0;
  /** Writes handed over to a commit that has not come back. */
  #writing = new Set<Promise<void>>();
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

  add(row: HistoryRow): void {
    this.#keep([row]);
    this.#schedule();
  }

  /** Resolves when everything added so far is written; rejects when the database would not take it. */
  async flush(): Promise<void> {
    this.#failure = undefined;
    while (this.#backlog.length > 0 || this.#writing.size > 0) {
      this.#join();
      this.#group.wake();
      await Promise.all(this.#writing);
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  close(): void {
    this.#closing.abort();
  }

  #keep(rows: readonly HistoryRow[]): void {
    this.#backlog.push(...rows);
    for (const { sizeBytes } of rows) this.#backlogBytes += sizeBytes;
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
    const written = this.#write(rows).finally(() => this.#writing.delete(written));
    this.#writing.add(written);
  }

  async #write(rows: readonly HistoryRow[]): Promise<void> {
    const results = await Promise.allSettled(
      rows.map(({ plan, sizeBytes }) => this.#group.ride('createTransactions', plan, sizeBytes)),
    );
    const again = rows.filter((_, i) => {
      const result = results[i];
      return result?.status === 'rejected' && result.reason instanceof StoreUnavailableError;
    });
    const failure = results.find((result) => result.status === 'rejected');
    if (failure === undefined) return;
    this.#failure = failure.reason instanceof Error ? failure.reason : new Error(String(failure.reason));
    this.#log.warn({ error: this.#failure.message, later: again.length }, 'cannot write history');
    if (again.length === 0 || this.#closing.signal.aborted) return;
    this.#keep(again);
    this.#schedule();
  }
}
