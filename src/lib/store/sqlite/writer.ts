/** The main thread's end of the writer thread: starts it, hands it one batch at a time, and notices when it dies. */
import { Worker } from 'node:worker_threads';
import { must } from '../../core/errors.ts';
import type { BatchResult } from '../batch.ts';
import type { Operation } from '../sql/index.ts';
import { StoreUnavailableError } from '../store.ts';
import { packBatch, unpackResult } from './packed.ts';
import type { LogSizes } from './write-ahead-log.ts';
import type { WriterAnswer, WriterData, WriterRequest } from './writer-worker.ts';

/** The compiled file in both cases: from `dist` it lies beside this one, and Node 20 cannot run the source. */
const WORKER = new URL('../../../../dist/lib/store/sqlite/writer-worker.js', import.meta.url);

/** What a batch came in is kept for the next one up to this size. */
const KEPT_MAX_BYTES = 4 << 20;

interface InFlight {
  readonly resolve: (result: BatchResult) => void;
  readonly reject: (error: StoreUnavailableError) => void;
}

export class SqliteWriter {
  readonly #file: string;
  readonly #code: URL;
  readonly #sizes: LogSizes | undefined;
  #worker: Worker | undefined;
  #inFlight: InFlight | undefined;
  /** Goes back and forth between the threads: new memory for each batch would have to be cleared, faulted in and collected on both sides. */
  #memory: ArrayBuffer | undefined;
  #isInDoubt = false;
  /** What lies behind the end of the log is not a commit that has failed. */
  #isEndSound = false;

  constructor(file: string, code: URL = WORKER, sizes?: LogSizes) {
    this.#file = file;
    this.#sizes = sizes;
    this.#code = code;
  }

  /**
   * What of the log is in the file may not be on disk, and only the log has it: everybody has to close the file, so that the log is read anew. Not
   * after a commit that failed, which the log might then turn out to have, before one that succeeded was written over it.
   */
  get mustStartAgain(): boolean {
    return this.#isInDoubt && this.#isEndSound;
  }

  commit(operations: readonly Operation[]): Promise<BatchResult> {
    must(this.#inFlight === undefined, 'one batch at a time, or their order would be lost');
    return new Promise((resolve, reject) => {
      const worker = this.#workerHere();
      const batch = packBatch(operations, this.#memory);
      this.#memory = undefined;
      worker.postMessage({ kind: 'commit', batch } satisfies WriterRequest, [batch.bytes.buffer]);
      this.#inFlight = { resolve, reject };
    });
  }

  /** Lets the thread close its database (which empties the write-ahead log) and end. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => {
      worker.once('exit', () => resolve());
    });
    worker.postMessage({ kind: 'close' } satisfies WriterRequest);
    await ended;
  }

  #workerHere(): Worker {
    try {
      this.#worker ??= this.#start();
      return this.#worker;
    } catch (error) {
      // There are as many threads as there may be.
      const why = error instanceof Error ? error.message : String(error);
      throw new StoreUnavailableError(`the writer of ${this.#file} cannot start: ${why}`, { cause: error });
    }
  }

  #start(): Worker {
    const workerData: WriterData = { file: this.#file, again: this.#isInDoubt, sizes: this.#sizes };
    const worker = new Worker(this.#code, { workerData, execArgv: [], name: 'sqlite-writer' });
    this.#isInDoubt = false;
    worker.on('message', (answer: WriterAnswer) => this.#answered(answer));
    worker.on('error', (error) => this.#died(worker, error.message));
    worker.on('exit', (code) => this.#died(worker, `exit code ${code}`));
    return worker;
  }

  #answered(answer: WriterAnswer): void {
    if (answer.kind === 'in doubt') {
      this.#isInDoubt = true;
      return;
    }
    const inFlight = this.#inFlight;
    this.#inFlight = undefined;
    if (answer.memory.byteLength <= KEPT_MAX_BYTES) this.#memory = answer.memory;
    if (answer.kind === 'committed') {
      // One that only looked writes over nothing.
      if (answer.result.changed) this.#isEndSound = true;
      inFlight?.resolve(unpackResult(answer.result));
      return;
    }
    if (answer.kind === 'unavailable') this.#isEndSound = false;
    const isFull = answer.kind === 'log is full' || answer.isFull;
    // Without room the end of a commit, which makes it one, was not written.
    const isInDoubt = !isFull && answer.kind === 'unavailable' && answer.isInDoubt;
    inFlight?.reject(new StoreUnavailableError(`cannot write ${this.#file}: ${answer.message}`, { isFull, isInDoubt }));
  }

  /** The next batch starts another thread. */
  #died(worker: Worker, why: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const inFlight = this.#inFlight;
    this.#inFlight = undefined;
    inFlight?.reject(new StoreUnavailableError(`the writer of ${this.#file} ended: ${why}`, { isInDoubt: true }));
  }
}
