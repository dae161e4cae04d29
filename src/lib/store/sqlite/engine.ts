/** SQLite: one writer thread, and a read-only connection on this thread for point reads, which take microseconds. */
import type { BatchResult } from '../batch.ts';
import type { Engine } from '../engine.ts';
import { type Args, type Operation, type ReadName, type Result, reads } from '../sql/index.ts';
import type { Sql } from '../sql/sql.ts';
import { StoreUnavailableError } from '../store.ts';
import { openReader, type SqliteDatabase, sqliteFailureKind, sqliteSql } from './connection.ts';
import { SqliteWriter } from './writer.ts';

const UNUSED_BYTES = 'select freelist_count * page_size as bytes from pragma_freelist_count, pragma_page_size';

export class SqliteEngine implements Engine {
  readonly #file: string;
  readonly #writer: SqliteWriter;
  #reader: SqliteDatabase;
  #sql: Sql;
  /** Reads take turns: each is a transaction of the one connection. */
  #turn: Promise<unknown> = Promise.resolve();

  /** The file must exist and have its schema. */
  constructor(file: string) {
    this.#file = file;
    this.#writer = new SqliteWriter(file);
    this.#reader = openReader(file);
    this.#sql = sqliteSql(this.#reader);
  }

  commit(operations: readonly Operation[]): Promise<BatchResult> {
    if (!this.#writer.mustStartAgain) return this.#writer.commit(operations);
    return this.#startAgain().then(() => this.#writer.commit(operations));
  }

  /** As after a crash: nobody has the file open, so the log is read anew, and all of it will be copied. */
  #startAgain(): Promise<void> {
    const again = this.#turn.then(async () => {
      await this.#writer.close();
      this.#reader.close();
      try {
        this.#reader = openReader(this.#file);
      } catch (error) {
        throw new StoreUnavailableError(`cannot open ${this.#file}`, { cause: error });
      }
      this.#sql = sqliteSql(this.#reader);
    });
    this.#turn = again.catch(() => undefined);
    return again;
  }

  read<V extends ReadName>(verb: V, args: Args<V>): Promise<Result<V>> {
    const result = this.#turn.then(() => this.#readNow(verb, args));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #readNow<V extends ReadName>(verb: V, args: Args<V>): Promise<Result<V>> {
    try {
      await this.#sql.run('begin', []);
      try {
        return (await reads[verb](this.#sql, args as never)) as Result<V>;
      } finally {
        if (this.#reader.inTransaction) await this.#sql.run('commit', []);
      }
    } catch (error) {
      if (!this.#reader.open || sqliteFailureKind(error) === 'unavailable') {
        throw new StoreUnavailableError('cannot read the database', { cause: error });
      }
      throw error;
    }
  }

  /** What the file has room for without becoming larger: what is collected goes there, and not back to the disk. */
  async unusedBytes(): Promise<number> {
    try {
      const [row] = await this.#sql.all<{ bytes: number }>(UNUSED_BYTES, []);
      return row?.bytes ?? 0;
    } catch {
      // Whoever reads or writes next says what is the matter.
      return 0;
    }
  }

  async close(): Promise<void> {
    await this.#turn;
    // The reader first: the last one to close empties the write-ahead log, and a reader cannot.
    this.#reader.close();
    await this.#writer.close();
  }
}
