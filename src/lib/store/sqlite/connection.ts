/** Opens a SQLite file the way Koukan needs it, and offers it as `Sql`. */
import Database from 'better-sqlite3';
import { limits } from '../../core/limits.ts';
import type { FailureKind } from '../batch.ts';
import type { Sql, SqlAtOnce, SqlValue } from '../sql/sql.ts';
import { keep } from './kept.ts';

export type SqliteDatabase = Database.Database;

/** The log of SQLite in pages: all of it, and how much of it counts as copied into the file. In the library's words. */
export interface LogLength {
  readonly log: number;
  readonly checkpointed: number;
}

export interface SqliteSql extends Sql {
  /** Copies what no reader needs, waits for nobody, and answers what there is then; `undefined` while another process copies. */
  copyLog(): LogLength | undefined;
  logLength(): LogLength;
}

/** Opens for writing; creates the file unless `mustExist`. */
export function openWriter(file: string, mustExist: boolean): SqliteDatabase {
  const db = keep(new Database(file, { fileMustExist: mustExist, timeout: limits.sqliteBusyMs }));
  try {
    configure(db);
    return db;
  } catch (error) {
    // A disk in trouble is tried again and again, and each try would leave a descriptor behind.
    db.close();
    throw error;
  }
}

/** Not by `pragma()`: that makes a statement each time, which is garbage at once (`kept.ts`). */
function configure(db: SqliteDatabase): void {
  db.exec('pragma journal_mode = WAL');
  // After journal_mode: in WAL the library's default is NORMAL, which loses committed transactions when the power fails.
  db.exec('pragma synchronous = FULL');
  db.exec('pragma foreign_keys = ON');
  db.exec('pragma journal_size_limit = 67108864');
  // Who writes much copies the log into the file earlier, when nobody waits; this is for what he has not seen coming.
  db.exec('pragma wal_autocheckpoint = 6000');
  // In KB. The inner pages of a large database's indexes are to stay in it; but a commit that has split pages looks through all that is in it.
  db.exec('pragma cache_size = -4096');
}

/**
 * Opens for reading, and has read: only then it holds on to the log. As long as it does, the log is not read anew when the writer opens the file again
 * after a commit that has failed, and which could turn up in it.
 */
export function openReader(file: string): SqliteDatabase {
  const db = keep(new Database(file, { readonly: true, fileMustExist: true, timeout: limits.sqliteBusyMs }));
  try {
    db.exec('select 1 from sqlite_schema');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Statements are compiled once per connection. */
export function sqliteSql(db: SqliteDatabase): SqliteSql {
  const statements = new Map<string, Database.Statement>();
  const prepare = (text: string): Database.Statement => {
    let statement = statements.get(text);
    if (statement === undefined) {
      statement = keep(db.prepare(text));
      statements.set(text, statement);
    }
    return statement;
  };
  // Spread: the library asks a list for its elements by name, one after the other, which takes it longer than binding them.
  const atOnce: SqlAtOnce = {
    all: <R extends object>(text: string, params: readonly SqlValue[]) => prepare(text).all(...params) as R[],
    run: (text, params) => prepare(text).run(...params).changes,
    insert: (text, params) => Number(prepare(text).run(...params).lastInsertRowid),
  };
  const checkpoint = (mode: 'PASSIVE' | 'NOOP'): LogLength & { readonly busy: number } =>
    prepare(`pragma wal_checkpoint(${mode})`).get() as LogLength & { readonly busy: number };
  return {
    locks: 'database',
    all: async <R extends object>(text: string, params: readonly SqlValue[]) => atOnce.all<R>(text, params),
    run: async (text, params) => atOnce.run(text, params),
    atOnce,
    copyLog: () => {
      const length = checkpoint('PASSIVE');
      return length.busy === 0 ? length : undefined;
    },
    logLength: () => checkpoint('NOOP'),
  };
}

/** Not a fault of the statement but of the disk, the file or its neighbours; codes of sqlite.org/rescode.html with their extensions. */
const TROUBLE =
  /^SQLITE_(FULL|IOERR|CORRUPT|NOTADB|CANTOPEN|READONLY|BUSY|LOCKED|NOMEM|PROTOCOL|PERM|AUTH|INTERRUPT|SCHEMA)/;

/** The disk is full, or the file has its largest size. */
export function isFull(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code === 'SQLITE_FULL';
}

export function syncFailed(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code === 'SQLITE_IOERR_FSYNC';
}

export function sqliteFailureKind(error: unknown): FailureKind {
  return error instanceof Database.SqliteError && TROUBLE.test(error.code) ? 'unavailable' : 'operation';
}
