/**
 * Group commit: everything that waits at the same moment is committed as one transaction, one batch in flight while the next collects.
 * No timer is needed: a lone write goes at once, and under load batches grow by themselves to what a sync takes.
 *
 *   idle ──write──▶ in flight ──committed──▶ idle, or in flight again with what has collected meanwhile
 */
import { ConflictError, InvariantError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { BatchResult, OperationFailure, Settled } from './batch.ts';
import type { Args, Operation, Result, WriteName } from './sql/index.ts';
import { type StoreStats, StoreUnavailableError } from './store.ts';

interface Waiting {
  readonly operation: Operation;
  readonly sizeBytes: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

type Commit = (operations: readonly Operation[]) => Promise<BatchResult>;

export class GroupCommit {
  readonly #commit: Commit;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #inFlight: Promise<void> | undefined;
  #closed = false;
  #commits = 0;
  #promises = 0;
  #isFailing = false;
  /** Called when a batch is about to be made: who has writes that nobody waits for adds them now. */
  onCollect: () => void = () => undefined;

  constructor(commit: Commit) {
    this.#commit = commit;
  }

  get stats(): Omit<StoreStats, 'historyBacklog'> {
    return {
      commits: this.#commits,
      promises: this.#promises,
      waiting: this.#waiting.length,
      waitingBytes: this.#waitingBytes,
      isFailing: this.#isFailing,
    };
  }

  /** Commits a write that a promise depends on. `sizeBytes` is what it carries, roughly. */
  write<V extends WriteName>(verb: V, args: Args<V>, sizeBytes = 0): Promise<Result<V>> {
    this.#promises += 1;
    return this.writePiece(verb, args, sizeBytes);
  }

  /** Like `write`, but before everything that waits, however much that is. For small writes on which all others depend. */
  writeNext<V extends WriteName>(verb: V, args: Args<V>): Promise<Result<V>> {
    this.#promises += 1;
    if (this.#closed) return Promise.reject(new StoreUnavailableError('the store is closed'));
    const result = new Promise((resolve, reject) => {
      this.#waiting.unshift({ operation: { verb, args } as Operation, sizeBytes: 0, resolve, reject });
    });
    this.#kick();
    return result as Promise<Result<V>>;
  }

  /** Like `write`, for a part of something bigger: it does not count as a promise of its own. */
  writePiece<V extends WriteName>(verb: V, args: Args<V>, sizeBytes = 0): Promise<Result<V>> {
    const result = this.#enqueue({ verb, args } as Operation, sizeBytes);
    this.#kick();
    return result as Promise<Result<V>>;
  }

  /** Adds a write to the next batch without causing one. */
  ride<V extends WriteName>(verb: V, args: Args<V>, sizeBytes = 0): Promise<Result<V>> {
    return this.#enqueue({ verb, args } as Operation, sizeBytes) as Promise<Result<V>>;
  }

  /** Commits what rides, now. */
  wake(): void {
    this.#kick();
  }

  /** Waits for what has been written so far, and takes no more. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#inFlight !== undefined) await this.#inFlight;
  }

  #enqueue(operation: Operation, sizeBytes: number): Promise<unknown> {
    if (this.#closed) return Promise.reject(new StoreUnavailableError('the store is closed'));
    const isFull =
      this.#waiting.length >= limits.storeQueueOperations || this.#waitingBytes + sizeBytes > limits.storeQueueBytes;
    if (isFull) return Promise.reject(new StoreUnavailableError('too many writes are waiting for the database'));
    this.#waitingBytes += sizeBytes;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operation, sizeBytes, resolve, reject });
    });
  }

  #kick(): void {
    // What this turn of the event loop still has to write goes along.
    this.#inFlight ??= Promise.resolve().then(() => this.#drain());
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.onCollect();
      await this.#commitBatch(this.#takeBatch());
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

  async #commitBatch(batch: readonly Waiting[]): Promise<void> {
    let result: BatchResult;
    try {
      result = await this.#commit(batch.map(({ operation }) => operation));
      this.#isFailing = false;
    } catch (error) {
      this.#isFailing = true;
      const reason = error instanceof Error ? error : new Error(String(error));
      for (const { reject } of batch) reject(reason);
      return;
    }
    if (result.changed) this.#commits += 1;
    batch.forEach((waiting, i) => {
      settle(waiting, result.results[i]);
    });
  }
}

function settle({ operation, resolve, reject }: Waiting, settled: Settled | undefined): void {
  if (settled?.kind === 'done') resolve(settled.value);
  else reject(operationError(operation.verb, settled?.failure));
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
