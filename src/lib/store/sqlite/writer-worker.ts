/** The one writer of a SQLite file, in a thread of its own: syncs take milliseconds, and the event loop does not wait for them. */
import { parentPort, workerData } from 'node:worker_threads';
import { must } from '../../core/errors.ts';
import { runBatch } from '../batch.ts';
import {
  isFull,
  openReader,
  openWriter,
  type SqliteDatabase,
  type SqliteSql,
  sqliteFailureKind,
  sqliteSql,
} from './connection.ts';
import { loggedPages, type PackedBatch, type PackedResult, packResult, unpackBatch } from './packed.ts';
import { batchRunner } from './together.ts';
import { type LogOwner, type LogSizes, WriteAheadLog } from './write-ahead-log.ts';

/** One at a time: the next request comes after the answer to this one. */
export type WriterRequest = { readonly kind: 'commit'; readonly batch: PackedBatch } | { readonly kind: 'close' };

type Outcome =
  | { readonly kind: 'committed'; readonly result: PackedResult }
  /** Nothing was written, or failed to be: there is no room in the log. */
  | { readonly kind: 'log is full'; readonly message: string }
  | { readonly kind: 'unavailable'; readonly message: string; readonly isFull: boolean; readonly isInDoubt: boolean };

/** `memory` is what the bytes of the batch were in. `in doubt` may come at any time: what of the log is in the file may not be on disk. */
export type WriterAnswer = (Outcome & { readonly memory: ArrayBuffer }) | { readonly kind: 'in doubt' };

/** `again`: the copy of the log was in doubt, so the file has been closed by everybody. */
export interface WriterData {
  readonly file: string;
  readonly again: boolean;
  readonly sizes: LogSizes | undefined;
}

must(parentPort, 'this file runs as a worker thread');
const port = parentPort;
let runAll = batchRunner();
const { file, sizes, ...started } = workerData as WriterData;
let { again } = started;

let open: { readonly db: SqliteDatabase; readonly sql: SqliteSql } | undefined;

/** Waits until the log has been copied. */
let held: PackedBatch | undefined;

const owner: LogOwner = {
  sql: () => open?.sql,
  inDoubt: () => port.postMessage({ kind: 'in doubt' } satisfies WriterAnswer),
  copied: () => {
    const batch = held;
    held = undefined;
    if (batch !== undefined) take(batch);
  },
};

const log = new WriteAheadLog(file, owner, sizes);

function openDatabase(): SqliteSql {
  const db = openWriter(file, true);
  // Not by a commit, which would not tell when it fails.
  db.exec('pragma wal_autocheckpoint = 0');
  const sql = sqliteSql(db);
  open = { db, sql };
  log.opened(sql, again);
  again = false;
  return sql;
}

async function commit(batch: PackedBatch): Promise<Outcome> {
  let isInDoubt = false;
  const onCommit = (): void => {
    isInDoubt = true;
  };
  try {
    const sql = open?.sql ?? openDatabase();
    if (log.isFull()) return { kind: 'log is full', message: 'its log has the largest size' };
    const connection = { sql, begin: 'begin immediate', failureKind: sqliteFailureKind, onCommit, runAll };
    return { kind: 'committed', result: packResult(await runBatch(connection, unpackBatch(batch))) };
  } catch (error) {
    // After a failed write or sync nothing is known about what the connection believes to be on disk: the next batch opens it afresh.
    closeDatabase();
    log.closed();
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'unavailable', message, isFull: isFull(error), isInDoubt };
  }
}

function closeDatabase(): void {
  open?.db.close();
  open = undefined;
  runAll = batchRunner();
}

/** The last one to close copies the rest of the log and removes it: not where the copy is in doubt, and a reader cannot. */
async function close(): Promise<void> {
  await log.close();
  if (log.isInDoubt) {
    const reader = openReader(file);
    closeDatabase();
    reader.close();
  }
  closeDatabase();
  port.close();
}

function take(batch: PackedBatch): void {
  commit(batch).then(
    (outcome) => {
      const memory = batch.bytes.buffer;
      const pages = loggedPages(batch);
      port.postMessage({ ...outcome, memory } satisfies WriterAnswer, [memory]);
      log.logged(pages);
    },
    (error: unknown) => {
      // Nothing is answered by a writer in an unknown state: the thread ends, and whoever waits hears of that.
      setImmediate(() => {
        throw error;
      });
    },
  );
}

port.on('message', (request: WriterRequest) => {
  if (request.kind === 'close') void close();
  else if (log.mustWait) held = request.batch;
  else take(request.batch);
});
