/** Lines of history on their way into a batch, and what has become of them. Nobody waits for one of them; one promise tells of all. */
import type { Waiting } from './group-commit.ts';
import type { Planned } from './plan.ts';
import type { Operation } from './sql/index.ts';
import { StoreUnavailableError } from './store.ts';

/** Rows that went into one batch, counted as they come back: one promise for all of them. */
export class Handover {
  readonly ended: Promise<void>;
  readonly writes: readonly Waiting[];
  /** Those that a database in trouble has not taken, or one of which was its trouble. */
  readonly again: Planned[] = [];
  failure: Error | undefined;
  #open: number;
  #end: () => void = () => undefined;

  constructor(rows: readonly Planned[], onEnd: (handover: Handover) => void) {
    this.#open = rows.length;
    this.writes = rows.map((row) => new HistoryWrite(row, this));
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
