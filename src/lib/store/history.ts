/**
 * Write-behind for the history rows of conversations that needed no durability: they join the next commit, or get one of their own after
 * a short pause. A crash loses the newest of them, which costs a line of history and no mail.
 *
 *   add ──▶ lines, packed ──▶ one batch ──▶ written
 *                                  └─ not committed, or one of them is wrong ──▶ suspects, line by line
 */
import type { Clock, Log } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Handover } from './handover.ts';
import { HistoryLines } from './history-lines.ts';
import type { PlannedTransaction } from './sql/create-transactions.ts';
import { StoreUnavailableError } from './store.ts';
import { Suspects } from './suspects.ts';

export class History {
  readonly #group: GroupCommit;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #closing = new AbortController();
  /** What was in a batch that failed joins nobody's again. */
  readonly #suspects: Suspects;
  /** What waits; the newest are being filled. */
  readonly #waiting: HistoryLines[] = [];
  /** So many of these have waited long enough, and follow each other. */
  #due = 0;
  /** What is with a commit that has not come back. One at a time: lines must not hold up those who wait for their batch. */
  #writing: HistoryLines | undefined;
  #written: Promise<void> | undefined;
  #writtenApart: Promise<void> | undefined;
  /** Their memory is that of the next. */
  #spare: HistoryLines | undefined;
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
    return this.#waiting.reduce((sum, { count }) => sum + count, this.#suspects.count);
  }

  add(line: PlannedTransaction): void {
    const newest = this.#waiting.at(-1);
    (newest === undefined || newest.isFull ? this.#begin() : newest).add(line);
    this.#schedule();
  }

  /** Resolves when everything added so far is written; rejects when the database would not take it, or, in the end, one of the lines. */
  async flush(): Promise<void> {
    this.#failure = undefined;
    let refused: Error | undefined;
    while (this.#waiting.length > 0 || this.#writing !== undefined || this.#suspects.count > 0) {
      this.#write();
      await Promise.all([this.#written, this.#writtenApart]);
      const failure = this.#takeFailure();
      if (failure instanceof StoreUnavailableError) throw failure;
      refused ??= failure;
    }
    if (refused !== undefined) throw refused;
  }

  #takeFailure(): Error | undefined {
    const failure = this.#failure;
    this.#failure = undefined;
    return failure;
  }

  close(): void {
    this.#closing.abort();
  }

  #begin(): HistoryLines {
    this.#dropExcess(limits.storeBatchOperations, limits.blobWriteBytes);
    const lines = this.#spare ?? new HistoryLines();
    this.#spare = undefined;
    this.#waiting.push(lines);
    return lines;
  }

  /** So that there is room for more. */
  #dropExcess(rows: number, sizeBytes: number): void {
    let excess = 0;
    while (
      this.backlog + rows > limits.storeHistoryBacklog ||
      this.#backlogBytes() + sizeBytes > limits.storeHistoryBytes
    ) {
      if (this.#suspects.count > 0) {
        this.#suspects.drop();
        excess += 1;
      } else excess += this.#waiting.shift()?.count ?? 0;
    }
    if (excess > 0) this.#log.warn({ rows: excess }, 'history rows dropped: the database takes no writes');
  }

  #backlogBytes(): number {
    return this.#waiting.reduce((sum, { sizeBytes }) => sum + sizeBytes, this.#suspects.sizeBytes);
  }

  #schedule(): void {
    if (this.#isPausing || this.#closing.signal.aborted) return;
    this.#isPausing = true;
    void this.#clock.sleep(limits.storeHistoryPauseMs, this.#closing.signal).then(() => {
      this.#isPausing = false;
      if (this.#closing.signal.aborted) return;
      this.#due = this.#waiting.length;
      if (this.#due > 0 || this.#suspects.count > 0) this.#write();
    });
  }

  #write(): void {
    this.#join();
    this.#writeApart();
    this.#group.wake();
  }

  /** Hands the oldest lines to the batch that is being made. */
  #join(): void {
    if (this.#writing !== undefined) return;
    const lines = this.#waiting.shift();
    if (lines === undefined) return;
    this.#due -= 1;
    this.#writing = lines;
    this.#written = new Promise((resolve) => {
      const end = (error?: Error): void => {
        this.#ended(lines, error);
        resolve();
      };
      const operation = { verb: 'writeHistory', args: lines } as const;
      this.#group.join({ operation, sizeBytes: lines.sizeBytes, resolve: () => end(), reject: end });
    });
  }

  #ended(lines: HistoryLines, error: Error | undefined): void {
    this.#writing = undefined;
    if (error !== undefined) this.#failed(lines, error);
    lines.clear();
    this.#spare = lines;
    if (this.#due > 0 && error === undefined) this.#join();
    if (this.#waiting.length > 0) this.#schedule();
  }

  /** Which of them was wrong, if it was one, they tell by themselves. */
  #failed(lines: HistoryLines, error: Error): void {
    if (error instanceof StoreUnavailableError) this.#failure = error;
    this.#log.warn({ error: error.message, later: lines.count }, 'cannot write history');
    const sizeBytes = Math.ceil(lines.sizeBytes / lines.count);
    this.#suspects.add([...lines].map((line) => ({ plan: { bodies: [], transactions: [line], now: 0 }, sizeBytes })));
    this.#dropExcess(0, 0);
    this.#schedule();
  }

  #writeApart(): void {
    const handover = this.#suspects.next((ended) => this.#endedApart(ended));
    if (handover === undefined) return;
    this.#writtenApart = handover.ended;
    this.#group.joinApart(handover.writes);
  }

  #endedApart({ failure, again }: Handover): void {
    if (failure !== undefined) {
      this.#failure = failure;
      this.#log.warn({ error: failure.message, later: again.length }, 'cannot write history');
    }
    if (this.#suspects.count > 0) this.#schedule();
  }
}
