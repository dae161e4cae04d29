/** The one writer of a SQLite file, in a thread of its own: syncs take milliseconds, and the event loop does not wait for them. */
import { parentPort, workerData } from 'node:worker_threads';
import { must } from '../../core/errors.ts';
import { runBatch } from '../batch.ts';
import type { Sql } from '../sql/sql.ts';
import { isFull, openWriter, type SqliteDatabase, sqliteFailureKind, sqliteSql } from './connection.ts';
import { loggedPages, type PackedBatch, type PackedResult, packResult, unpackBatch } from './packed.ts';
import { runTogether } from './together.ts';

/** One at a time: the next request comes after the answer to this one. */
export type WriterRequest = { readonly kind: 'commit'; readonly batch: PackedBatch } | { readonly kind: 'close' };

type Outcome =
  | { readonly kind: 'committed'; readonly result: PackedResult }
  | { readonly kind: 'unavailable'; readonly message: string; readonly isFull: boolean };

/** `memory` is what the bytes of the batch were in. */
export type WriterAnswer = Outcome & { readonly memory: ArrayBuffer };

must(parentPort, 'this file runs as a worker thread');
const port = parentPort;
const { file } = workerData as { readonly file: string };

/** So many pages of log (16 MB) are worth a copy into the file: one that is written again and again is copied once for all of them. */
const WORTH_COPYING_PAGES = 4000;

let open: { readonly db: SqliteDatabase; readonly sql: Sql } | undefined;

async function commit(batch: PackedBatch): Promise<Outcome> {
  try {
    if (open === undefined) {
      const db = openWriter(file, true);
      open = { db, sql: sqliteSql(db) };
    }
    const { sql } = open;
    const connection = { sql, begin: 'begin immediate', failureKind: sqliteFailureKind, runAll: runTogether };
    return { kind: 'committed', result: packResult(await runBatch(connection, unpackBatch(batch))) };
  } catch (error) {
    // After a failed write or sync nothing is known about what the connection believes to be on disk: the next batch opens it afresh.
    closeDatabase();
    return {
      kind: 'unavailable',
      message: error instanceof Error ? error.message : String(error),
      isFull: isFull(error),
    };
  }
}

/** What was logged since the log was copied last, roughly. */
let pages = 0;

/**
 * Copies the log into the file when there is much of it: as long as that takes, those who have just been answered go on. What cannot be copied, or
 * synced, stays in the log and is copied again.
 */
function copyLog(): void {
  if (pages < WORTH_COPYING_PAGES || open === undefined) return;
  pages = 0;
  try {
    open.db.exec('pragma wal_checkpoint(PASSIVE)');
  } catch (error) {
    if (sqliteFailureKind(error) !== 'unavailable') throw error;
    closeDatabase();
  }
}

function closeDatabase(): void {
  open?.db.close();
  open = undefined;
}

port.on('message', (request: WriterRequest) => {
  if (request.kind === 'close') {
    closeDatabase();
    port.close();
    return;
  }
  const { batch } = request;
  commit(batch).then(
    (outcome) => {
      pages += loggedPages(batch);
      const memory = batch.bytes.buffer;
      port.postMessage({ ...outcome, memory } satisfies WriterAnswer, [memory]);
      copyLog();
    },
    (error: unknown) => {
      // Nothing is answered by a writer in an unknown state: the thread ends, and whoever waits hears of that.
      setImmediate(() => {
        throw error;
      });
    },
  );
});
