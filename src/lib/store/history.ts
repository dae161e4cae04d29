/**
 * Write-behind for the history rows of conversations that needed no durability: they join the next commit, or get one of their own after
 * a short pause. A crash loses the newest of them, which costs a line of history and no mail.
 */
import type { Clock, Log } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { GroupCommit } from './group-commit.ts';
import type { CreatePlan } from './sql/create-transactions.ts';

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
  /** Rows handed over to a commit that has not come back. */
  #writing = new Set<Promise<void>>();
  #isPausing = false;
  #failure: Error | undefined;

  constructor(group: GroupCommit, clock: Clock, log: Log) {
    this.#group = group;
    this.#clock = clock;
    this.#log = log;
    group.onCollect = () => this.#join();
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
    const rows = this.#backlog;
    this.#backlog = [];
    this.#backlogBytes = 0;
    for (const row of rows) {
      const written = this.#write(row).finally(() => this.#writing.delete(written));
      this.#writing.add(written);
    }
  }

  async #write(row: HistoryRow): Promise<void> {
    try {
      await this.#group.ride('createTransactions', row.plan, row.sizeBytes);
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      this.#failure = reason;
      this.#log.warn({ error: reason.message }, 'cannot write history');
      if (reason.name !== 'StoreUnavailableError' || this.#closing.signal.aborted) return;
      this.#keep([row]);
      this.#schedule();
    }
  }
}
