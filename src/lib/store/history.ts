/**
 * Write-behind for the history rows of conversations that needed no durability: they join the next commit, or get one of their own after
 * a short pause. A crash loses the newest of them, which costs a line of history and no mail.
 */
import type { Clock, Log } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { GroupCommit } from './group-commit.ts';
import { Handover } from './handover.ts';
import type { Planned } from './plan.ts';
import { Suspects } from './suspects.ts';

export class History {
  readonly #group: GroupCommit;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #closing = new AbortController();
  /** What was in a batch that failed joins nobody's again. */
  readonly #suspects: Suspects;
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
    this.#suspects = new Suspects(group, log);
    group.onCollect(() => this.#join());
  }

  /** Rows that are not handed to a commit yet. */
  get backlog(): number {
    return this.#backlog.length + this.#suspects.count;
  }

  add(row: Planned): void {
    this.#backlog.push(row);
    this.#backlogBytes += row.sizeBytes;
    this.#dropExcess();
    this.#schedule();
  }

  /** Resolves when everything added so far is written; rejects when the database would not take it. */
  async flush(): Promise<void> {
    this.#failure = undefined;
    while (this.backlog > 0 || this.#writing.size > 0) {
      this.#join();
      this.#writeApart();
      this.#group.wake();
      await Promise.all([...this.#writing].map(({ ended }) => ended));
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  close(): void {
    this.#closing.abort();
  }

  #dropExcess(): void {
    let excess = 0;
    while (
      this.backlog > limits.storeHistoryBacklog ||
      this.#backlogBytes + this.#suspects.sizeBytes > limits.storeHistoryBytes
    ) {
      if (this.#suspects.count > 0) this.#suspects.drop();
      else this.#backlogBytes -= this.#backlog.shift()?.sizeBytes ?? 0;
      excess += 1;
    }
    if (excess > 0) this.#log.warn({ rows: excess }, 'history rows dropped: the database takes no writes');
  }

  #schedule(): void {
    if (this.#isPausing || this.#closing.signal.aborted) return;
    this.#isPausing = true;
    void this.#clock.sleep(limits.storeHistoryPauseMs, this.#closing.signal).then(() => {
      this.#isPausing = false;
      if (this.#closing.signal.aborted || this.backlog === 0) return;
      this.#join();
      this.#writeApart();
      this.#group.wake();
    });
  }

  /** Hands the backlog to the batch that is being made. */
  #join(): void {
    if (this.#backlog.length === 0) return;
    const rows = this.#backlog;
    this.#backlog = [];
    this.#backlogBytes = 0;
    const handover = new Handover(rows, (ended) => this.#ended(ended, true));
    this.#writing.add(handover);
    for (const write of handover.writes) this.#group.join(write);
  }

  #writeApart(): void {
    const handover = this.#suspects.next((ended) => this.#ended(ended, false));
    if (handover === undefined) return;
    this.#writing.add(handover);
    this.#group.joinApart(handover.writes);
  }

  #ended(handover: Handover, isFirst: boolean): void {
    this.#writing.delete(handover);
    const { failure, again } = handover;
    if (failure !== undefined) {
      this.#failure = failure;
      this.#log.warn({ error: failure.message, later: again.length }, 'cannot write history');
    }
    if (isFirst) {
      this.#suspects.add(again);
      this.#dropExcess();
    }
    if (this.#suspects.count > 0) this.#schedule();
  }
}
