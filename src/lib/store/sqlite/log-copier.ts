/**
 * Copies SQLite's write-ahead log into the file beside the writer, in a thread and by a connection of its own: a copy and its sync take longer than
 * some commits, and nobody who waits for a commit waits for it. `write-ahead-log.ts` is the other end. Idle it must cost next to nothing.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openWriter, type SqliteDatabase, type SqliteSql, sqliteSql, syncFailed } from './connection.ts';

/** `reopen`: the writer has closed the file because of an error; whoever copies shall not hold on to it either. */
export type CopierRequest = 'copy' | 'reopen' | 'close';

export type CopierAnswer = { readonly kind: 'copied' } | { readonly kind: 'failed'; readonly syncFailed: boolean };

const { file } = workerData as { readonly file: string };

/** What is logged during a copy is copied by the next. A short one usually ends between two commits, and then SQLite syncs the file after it. */
const PASSES = 8;
const SHORT_PAGES = 100;

let open: { readonly db: SqliteDatabase; readonly sql: SqliteSql } | undefined;

function copyLog(): CopierAnswer {
  try {
    if (open === undefined) {
      const db = openWriter(file, true);
      open = { db, sql: sqliteSql(db) };
    }
    let copied = 0;
    for (let pass = 0; pass < PASSES; pass += 1) {
      const before = copied;
      copied = open.sql.copyLog()?.checkpointed ?? before;
      // Shorter, too, when a reader is in the way.
      if (copied - before < SHORT_PAGES) break;
    }
    return { kind: 'copied' };
  } catch (error) {
    close();
    return { kind: 'failed', syncFailed: syncFailed(error) };
  }
}

function close(): void {
  open?.db.close();
  open = undefined;
}

parentPort?.on('message', (request: CopierRequest) => {
  if (request === 'copy') parentPort?.postMessage(copyLog());
  else close();
  if (request === 'close') parentPort?.close();
});
