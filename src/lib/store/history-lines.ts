/**
 * Lines of history that wait for their commit. There is one for every message that was relayed, and each used to outlive several collections of young
 * objects; packed, a few hundred of them are two pieces of memory.
 */
import { limits } from '../core/limits.ts';
import { RowReader, RowWriter } from './packed-rows.ts';
import { packTransaction, unpackTransaction } from './packed-transaction.ts';
import type { PlannedTransaction } from './sql/create-transactions.ts';
import type { HistoryRows } from './sql/write-history.ts';

export class HistoryLines implements HistoryRows {
  readonly #writer = new RowWriter();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    return this.#writer.sizeBytes;
  }

  /** As many, and as large, as may hold up those who wait for the same commit. */
  get isFull(): boolean {
    return this.#count >= limits.storeBatchOperations || this.sizeBytes >= limits.blobWriteBytes;
  }

  get packed(): HistoryRows['packed'] {
    return this.#writer.rows;
  }

  add(line: PlannedTransaction): void {
    this.#writer.begin();
    packTransaction(this.#writer, line);
    this.#writer.end();
    this.#count += 1;
  }

  /** What was added, in its order. */
  *[Symbol.iterator](): Generator<PlannedTransaction> {
    const reader = new RowReader(this.#writer.rows);
    while (!reader.isAtEnd) {
      reader.begin();
      yield unpackTransaction(reader);
    }
  }

  clear(): void {
    this.#writer.clear();
    this.#count = 0;
  }
}
