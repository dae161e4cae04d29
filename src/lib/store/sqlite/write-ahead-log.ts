/**
 * Keeps SQLite's write-ahead log short without anybody waiting for it:
 *
 *     short ── so many pages ──▶ copied beside the writer ── done ──▶ the writer copies the rest ──▶ short
 *
 * The log begins anew when all of it is in the file and synced, which cannot come to pass while the writer goes on, so the last pages, few, are his.
 * He waits for the thread only when it is far behind. A reader that stays keeps pages in the log; how much it may keep has a limit.
 *
 * What the thread copies counts as copied before it is synced, so a sync that fails afterwards leaves the copy **in doubt**: SQLite would not
 * copy these pages again, and the log is what still has them. Then nothing is copied any more until all connections have been closed and the
 * log has been read anew, which counts nothing as copied (`engine.ts`).
 */
import { Worker } from 'node:worker_threads';
import { limits } from '../../core/limits.ts';
import { type LogLength, type SqliteSql, syncFailed } from './connection.ts';
import type { CopierAnswer, CopierRequest } from './log-copier.ts';

const COPIER = new URL('../../../../dist/lib/store/sqlite/log-copier.js', import.meta.url);

/** A thread that calls SQLite and keeps nothing needs no more. */
const COPIER_MEMORY = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 };

export interface LogSizes {
  /** So many pages (16 MB) are worth a copy: one that is written again and again is copied once for all of them. */
  readonly worthCopyingPages: number;
  /** Of a log so long the writer lets the thread come to an end before he adds to it. */
  readonly waitPages: number;
  readonly maxPages: number;
}

const PAGE_BYTES = 4096;

const SIZES: LogSizes = {
  worthCopyingPages: 4000,
  waitPages: 7000,
  maxPages: limits.sqliteLogBytes / PAGE_BYTES,
};

/** Of the writer: his connection while it is open, who is to be told of doubt, and who goes on when there was a wait. */
export interface LogOwner {
  readonly sql: () => SqliteSql | undefined;
  readonly inDoubt: () => void;
  readonly copied: () => void;
}

export class WriteAheadLog {
  readonly #file: string;
  readonly #owner: LogOwner;
  readonly #sizes: LogSizes;
  readonly #code: URL;
  #copier: Worker | undefined;
  #isCopying = false;
  /** Roughly. */
  #pages = 0;
  #dueAtPages: number;
  isInDoubt = false;

  constructor(file: string, owner: LogOwner, sizes: LogSizes = SIZES, code: URL = COPIER) {
    this.#file = file;
    this.#owner = owner;
    this.#sizes = sizes;
    this.#code = code;
    this.#dueAtPages = sizes.worthCopyingPages;
  }

  get mustWait(): boolean {
    return this.#isCopying && this.#pages >= this.#sizes.waitPages;
  }

  /** Somebody reads for long, or the copies fail. Asking tries it once more. */
  isFull(): boolean {
    if (this.#pages < this.#sizes.maxPages) return false;
    this.#copy();
    return true;
  }

  /** The writer has opened the file; `again` because the copy was in doubt. */
  opened(sql: SqliteSql, again: boolean): void {
    const { log, checkpointed } = sql.logLength();
    this.#pages = log;
    // Where copies fail they go on to fail: not one for each commit.
    this.#dueAtPages = (again ? log : 0) + this.#sizes.worthCopyingPages;
    // Another process has the file open, so the log was not read anew.
    if (again && checkpointed > 0) this.#doubt();
  }

  /** The writer has closed the file after an error. */
  closed(): void {
    this.#ask('reopen');
  }

  /** `undefined` when nobody knows how many: then SQLite is asked. */
  logged(pages: number | undefined): void {
    const sql = pages === undefined ? this.#owner.sql() : undefined;
    if (sql !== undefined) this.#pages = pagesIn(sql.logLength());
    else this.#pages += pages ?? 0;
    if (this.#pages >= this.#dueAtPages) this.#copy();
  }

  /** Resolves when the thread has ended. */
  async close(): Promise<void> {
    const copier = this.#copier;
    if (copier === undefined) return;
    const ended = new Promise<void>((resolve) => {
      copier.once('exit', () => resolve());
    });
    this.#ask('close');
    await ended;
  }

  #copy(): void {
    if (this.#isCopying || this.isInDoubt) return;
    this.#isCopying = true;
    try {
      this.#copier ??= this.#start();
    } catch {
      // There are as many threads as there may be. Messages are stored all the same.
      this.#failed(false);
      this.#ended();
      return;
    }
    this.#ask('copy');
  }

  #ask(request: CopierRequest): void {
    this.#copier?.postMessage(request);
  }

  #start(): Worker {
    const options = {
      workerData: { file: this.#file },
      execArgv: [],
      name: 'sqlite-log',
      resourceLimits: COPIER_MEMORY,
    };
    const copier = new Worker(this.#code, options);
    copier.on('message', (answer: CopierAnswer) => {
      if (answer.kind === 'copied') this.#copyRest();
      else this.#failed(answer.syncFailed);
      this.#ended();
    });
    copier.on('error', () => this.#died(copier));
    copier.on('exit', () => this.#died(copier));
    return copier;
  }

  /** The next copy starts another thread. What this one has copied is in the log still. */
  #died(copier: Worker): void {
    if (this.#copier !== copier) return;
    this.#copier = undefined;
    if (!this.#isCopying) return;
    this.#failed(false);
    this.#ended();
  }

  #ended(): void {
    this.#isCopying = false;
    this.#owner.copied();
  }

  /** The few pages since. Then the next commit begins the log anew, unless somebody reads: then some more are worth another try. */
  #copyRest(): void {
    const sql = this.#owner.sql();
    if (sql === undefined) return;
    try {
      const length = sql.copyLog();
      if (length !== undefined) this.#pages = pagesIn(length);
      this.#dueAtPages = this.#pages + this.#sizes.worthCopyingPages;
    } catch (error) {
      this.#failed(syncFailed(error));
    }
  }

  /** What cannot be copied stays in the log and is copied again, later. */
  #failed(isSync: boolean): void {
    this.#dueAtPages = this.#pages + this.#sizes.worthCopyingPages;
    if (isSync && (this.#owner.sql()?.logLength().checkpointed ?? 1) > 0) this.#doubt();
  }

  #doubt(): void {
    this.isInDoubt = true;
    this.#owner.inDoubt();
  }
}

/** A log that has been copied begins anew with the next commit. */
function pagesIn({ log, checkpointed }: LogLength): number {
  return log === checkpointed ? 0 : log;
}
