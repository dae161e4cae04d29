/** PostgreSQL, shared by any number of routers. A connection that failed is thrown away, and the next batch takes a fresh one. */
import type pg from 'pg';
import type { Log } from '../../core/deps.ts';
import { limits } from '../../core/limits.ts';
import { type BatchResult, runBatch } from '../batch.ts';
import type { Engine } from '../engine.ts';
import { type Args, type Operation, type ReadName, type Result, reads, snapshotReads } from '../sql/index.ts';
import { StoreUnavailableError } from '../store.ts';
import { BEGIN, isFull, mayBeCommitted, openPool, postgresFailureKind, postgresSql } from './connection.ts';
import { commitTogether, runTogether } from './together.ts';

export class PostgresEngine implements Engine {
  readonly #pool: pg.Pool;

  /** `queryMs`: after this long without an answer the server is taken for away. */
  constructor(url: string, log: Log, queryMs: number = limits.postgresQueryMs) {
    this.#pool = openPool(url, log, queryMs);
  }

  commit(operations: readonly Operation[]): Promise<BatchResult> {
    return this.#withClient(async (client) => {
      const connection = {
        sql: postgresSql(client),
        begin: BEGIN,
        failureKind: postgresFailureKind,
        runAll: runTogether,
        commitAll: commitTogether,
      };
      for (let run = 1; ; run += 1) {
        try {
          return await runBatch(connection, operations);
        } catch (error) {
          if (postgresFailureKind(error) !== 'again' || run === limits.storeBatchRuns) throw error;
        }
      }
    });
  }

  read<V extends ReadName>(verb: V, args: Args<V>): Promise<Result<V>> {
    return this.#withClient(async (client) => {
      const sql = postgresSql(client);
      const result = (): Promise<Result<V>> => reads[verb](sql, args as never) as Promise<Result<V>>;
      if (!snapshotReads.has(verb)) return result();
      const [, value] = await Promise.all([
        sql.run('begin isolation level repeatable read read only', []),
        result(),
      ]).finally(() => sql.run('commit', []));
      return value;
    });
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #withClient<T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw unavailable(error, false);
    }
    let trouble: unknown;
    try {
      return await use(client);
    } catch (error) {
      trouble = error;
      throw postgresFailureKind(error) === 'operation' ? error : unavailable(error, mayBeCommitted(error));
    } finally {
      client.release(trouble !== undefined);
    }
  }
}

function unavailable(error: unknown, isInDoubt: boolean): StoreUnavailableError {
  const message = error instanceof Error ? error.message || error.name : String(error);
  return new StoreUnavailableError(`PostgreSQL: ${message}`, { cause: error, isFull: isFull(error), isInDoubt });
}
