/** The seam between the store and a database: how a batch is committed and how something is read. Two implementations. */
import type { BatchResult } from './batch.ts';
import type { Args, Operation, ReadName, Result } from './sql/index.ts';

export interface Engine {
  /** Commits a batch with fsync. Rejects with `StoreUnavailableError` when it was not committed, or nobody knows whether it was. */
  commit(operations: readonly Operation[]): Promise<BatchResult>;
  /** Reads one consistent picture of what is committed. */
  read<V extends ReadName>(verb: V, args: Args<V>): Promise<Result<V>>;
  close(): Promise<void>;
}
