/** The one writer of a SQLite file, in a thread of its own: syncs take milliseconds, and the event loop does not wait for them. */
import { parentPort, workerData } from 'node:worker_threads';
import { must } from '../../core/errors.ts';
import { runBatch } from '../batch.ts';
import type { Sql } from '../sql/sql.ts';
import { isFull, openWriter, type SqliteDatabase, sqliteFailureKind, sqliteSql } from './connection.ts';
import { type PackedBatch, type PackedResult, packResult, unpackBatch } from './packed.ts';
import { runTogether } from './together.ts';

/** One at a time: the next request comes after the answer to this one. */
export type WriterRequest = { readonly kind: 'commit'; readonly batch: PackedBatch } | { readonly kind: 'close' };

export type WriterAnswer =
  | { readonly kind: 'committed'; readonly result: PackedResult }
  | { readonly kind: 'unavailable'; readonly message: string; readonly isFull: boolean };

must(parentPort, 'this file runs as a worker thread');
const port = parentPort;
const { file } = workerData as { readonly file: string };

let open: { readonly db: SqliteDatabase; readonly sql: Sql } | undefined;

async function commit(batch: PackedBatch): Promise<WriterAnswer> {
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
  commit(request.batch).then(
    (answer) => port.postMessage(answer),
    (error: unknown) => {
      // Nothing is answered by a writer in an unknown state: the thread ends, and whoever waits hears of that.
      setImmediate(() => {
        throw error;
      });
    },
  );
});
