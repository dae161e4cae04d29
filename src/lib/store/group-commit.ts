/**
 * Group commit: everything that waits at the same moment is committed as one transaction, one batch in flight while the next collects.
 * No timer is needed: a lone write goes at once, and under load batches grow by themselves to what a sync takes.
 *
 *   idle ──write──▶ in flight ──committed──▶ idle, or in flight again with what has collected meanwhile
 *
 * A database that does not answer for long stands still: who waits for a commit that has not begun is refused, and so is everybody who comes, until
 * it answers. What is in flight is decided by that answer alone, and told to those who still wait.
 */
import type { Clock } from '../core/deps.ts';
import { ConflictError, InvariantError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { BatchResult, OperationFailure, Settled } from './batch.ts';
import type { Args, Operation, Result, WriteName } from './sql/index.ts';
import { type StoreStats, StoreUnavailableError } from './store.ts';

/** A write that waits for its commit, and who hears of it. */
export interface Waiting {
  readonly operation: Operation;
  /** What it carries, roughly. */
  readonly sizeBytes: number;
  /** Committed, with this result. */
  resolve(value: unknown): void;
  reject(error: Error): void;
}

type Commit = (operations: readonly Operation[]) => Promise<BatchResult>;

export class GroupCommit {
  readonly #commit: Commit;
  readonly #clock: Pick<Clock, 'after'>;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Batches of their own. */
  readonly #apart: (readonly Waiting[])[] = [];
  #inFlight: Promise<void> | undefined;
  #closed = false;
  #commits = 0;
  #promises = 0;
  #isFailing = false;
  /** The batch in flight has been so for longer than is waited for. */
  #isStandingStill = false;
  readonly #collectors: (() => void)[] = [];

  constructor(commit: Commit, clock: Pick<Clock, 'after'>) {
    this.#commit = commit;
    this.#clock = clock;
  }

  /** Calls `collect` whenever a batch is about to be made: who has writes that nobody waits for adds them then. */
  onCollect(collect: () => void): void {
    this.#collectors.push(collect);
  }

  get stats(): Omit<StoreStats, 'historyBacklog'> {
    return {
      commits: this.#commits,
      promises: this.#promises,
      waiting: this.#waiting.length,
      waitingBytes: this.#waitingBytes,
      isFailing: this.#isFailing || this.#isStandingStill,
    };
  }

  /** Commits a write that a promise depends on. `sizeBytes` is what it carries, roughly. */
  write<V extends WriteName>(verb: V, args: Args<V>, sizeBytes = 0): Promise<Result<V>> {
    this.#promises += 1;
    return this.writePiece(verb, args, sizeBytes);
  }

  /** The same for who makes a promise of the result by himself: one for each write is enough. */
  enter(waiting: Waiting): void {
    this.#promises += 1;
    this.join(waiting);
    this.wake();
  }

  /** Like `write`, but before everything that waits, however much that is. For small writes on which all others depend. */
  writeNext<V extends WriteName>(verb: V, args: Args<V>): Promise<Result<V>> {
    this.#promises += 1;
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    const result = new Promise((resolve, reject) => {
      this.#waiting.unshift({ operation: { verb, args } as Operation, sizeBytes: 0, resolve, reject });
    });
    this.wake();
    return result as Promise<Result<V>>;
  }

  /** Like `write`, for a part of something bigger: it does not count as a promise of its own. */
  writePiece<V extends WriteName>(verb: V, args: Args<V>, sizeBytes = 0): Promise<Result<V>> {
    const operation = { verb, args } as Operation;
    const result = new Promise((resolve, reject) => this.join({ operation, sizeBytes, resolve, reject }));
    this.wake();
    return result as Promise<Result<V>>;
  }

  /** Adds a write to the next batch without causing one; rejects at once when nothing more is taken. */
  join(waiting: Waiting): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      waiting.reject(refusal);
      return;
    }
    const sizeBytes = this.#waitingBytes + waiting.sizeBytes;
    if (this.#waiting.length >= limits.storeQueueOperations || sizeBytes > limits.storeQueueBytes) {
      waiting.reject(new StoreUnavailableError('too many writes are waiting for the database'));
      return;
    }
    this.#waitingBytes = sizeBytes;
    this.#waiting.push(waiting);
  }

  /** Puts small writes before everything that waits, without causing a batch. */
  joinNext(batch: readonly Waiting[]): void {
    const refusal = this.#refusal();
    if (refusal === undefined) this.#waiting.unshift(...batch);
    else for (const waiting of batch) waiting.reject(refusal);
  }

  /** Writes that share their commit, and its failure, with nobody else; what becomes of them says nothing about the database. */
  joinApart(batch: readonly Waiting[]): void {
    if (this.#closed) for (const waiting of batch) waiting.reject(closed());
    else this.#apart.push(batch);
  }

  /** Commits what rides, now. */
  wake(): void {
    this.#inFlight ??= this.#drain();
  }

  /** Waits for what has been written so far, and takes no more. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#inFlight !== undefined) await this.#inFlight;
  }

  #refusal(): StoreUnavailableError | undefined {
    if (this.#closed) return closed();
    return this.#isStandingStill ? standstill() : undefined;
  }

  /** What waits behind the batch in flight has certainly not been written. */
  #standStill(): void {
    this.#isStandingStill = true;
    const refused = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const waiting of refused) waiting.reject(standstill());
  }

  async #drain(): Promise<void> {
    // What this turn of the event loop still has to write goes along: a batch costs its pages and its sync, however many share them.
    await turnEnd();
    while (this.#waiting.length > 0 || this.#apart.length > 0) {
      for (const collect of this.#collectors) collect();
      if (this.#waiting.length > 0) await this.#commitBatch(this.#takeBatch(), false);
      const apart = this.#apart.shift();
      if (apart !== undefined) await this.#commitBatch(apart, true);
      await turnEnd();
    }
    this.#inFlight = undefined;
  }

  #takeBatch(): Waiting[] {
    let count = 0;
    let sizeBytes = 0;
    for (const { sizeBytes: size } of this.#waiting) {
      const isFull = count >= limits.storeBatchOperations || sizeBytes + size > limits.storeBatchBytes;
      if (count > 0 && isFull) break;
      count += 1;
      sizeBytes += size;
    }
    this.#waitingBytes -= sizeBytes;
    return this.#waiting.splice(0, count);
  }

  async #commitBatch(batch: readonly Waiting[], isApart: boolean): Promise<void> {
    let result: BatchResult;
    const forget = this.#clock.after(limits.storeStandstillMs, () => this.#standStill());
    try {
      result = await this.#commit(batch.map(({ operation }) => operation));
      this.#isFailing = false;
    } catch (error) {
      if (!isApart) this.#isFailing = true;
      const reason = error instanceof Error ? error : new Error(String(error));
      for (const waiting of batch) waiting.reject(reason);
      return;
    } finally {
      forget();
      this.#isStandingStill = false;
    }
    if (result.changed) this.#commits += 1;
    for (let i = 0; i < batch.length; i += 1) settle(batch[i] as Waiting, result.results[i]);
  }
}

function closed(): StoreUnavailableError {
  return new StoreUnavailableError('the store is closed');
}

function standstill(): StoreUnavailableError {
  return new StoreUnavailableError(`the database has not answered for ${limits.storeStandstillMs / 1000} s`);
}

/** Resolves when everything that has happened by now has been dealt with: no time has to pass for it. */
function turnEnd(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function settle(waiting: Waiting, settled: Settled | undefined): void {
  if (settled?.kind === 'done') waiting.resolve(settled.value);
  else waiting.reject(operationError(waiting.operation.verb, settled?.failure));
}

/** SQLite's and PostgreSQL's names for a key that exists. */
const KEY_EXISTS = new Set(['SQLITE_CONSTRAINT_PRIMARYKEY', 'SQLITE_CONSTRAINT_UNIQUE', '23505']);

function operationError(verb: string, failure: OperationFailure | undefined): Error {
  if (failure?.code !== undefined && KEY_EXISTS.has(failure.code)) {
    return new ConflictError(`${verb}: it exists already`);
  }
  const error = new InvariantError(`store ${verb}: ${failure?.message ?? 'no result'}`);
  if (failure?.stack !== undefined) error.cause = failure.stack;
  return error;
}
