/** Connections to PostgreSQL: a pool that survives the database going away, and one of its clients offered as `Sql`. */
import pg from 'pg';
import type { Log } from '../../core/deps.ts';
import { limits } from '../../core/limits.ts';
import type { FailureKind } from '../batch.ts';
import type { Sql, SqlValue } from '../sql/sql.ts';

const INT8 = 20;

/** 64-bit integers arrive as text; ours are instants, lengths and counts, all far below 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => (oid === INT8 && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format)),
};

/** `queryMs`: after this long without an answer to a statement the connection is given up. */
export function connectionConfig(url: string, queryMs: number): pg.ClientConfig {
  return {
    connectionString: url,
    types,
    // Statements that do not depend on each other's answers share one round trip.
    pipeline: true,
    // A connection that something on the way has forgotten is noticed before it is needed.
    keepAlive: true,
    keepAliveInitialDelayMillis: limits.postgresKeepAliveMs,
    connectionTimeoutMillis: limits.postgresConnectMs,
    query_timeout: queryMs,
    application_name: 'koukan',
  };
}

/**
 * How a transaction begins that writes. Nothing else on a connection of a router may write: statements leave before it is known whether their
 * transaction has begun, and one whose beginning was cancelled must not turn them into as many commits.
 */
export const BEGIN = 'begin read write';

/**
 * What every connection of a router asks of the server. Its limits end what a router has given up waiting for, or was cut off from, so that
 * the locks of a lost connection are not held until the server notices the loss. A server that would answer a commit before it is safe is
 * told not to. What is in no transaction may only read (`BEGIN`). A statement's plan is kept for as
 * long as the connection, so one that was made while a table was small must be good for a large one: everything has its index. Not as start-up parameters: poolers refuse those.
 */
const sessionSettings = (queryMs: number): string => `
  set statement_timeout = ${queryMs};
  set idle_in_transaction_session_timeout = ${queryMs};
  set enable_seqscan = off;
  set default_transaction_read_only = on;
  select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`;

/** Of the server, the database or the role; not what a pooler has kept of our own settings. `BEGIN` would go over it. */
const SERVER_READ_ONLY = "select reset_val from pg_settings where name = 'default_transaction_read_only'";

export function openPool(url: string, log: Log, queryMs: number): pg.Pool {
  const pool = new pg.Pool({
    ...connectionConfig(url, queryMs),
    max: limits.postgresConnections,
    onConnect: async (client) => {
      const { rows } = await client.query<{ reset_val: string }>(SERVER_READ_ONLY);
      if (rows[0]?.reset_val === 'on') throw new Error('the server is set to be read-only');
      await client.query(sessionSettings(queryMs));
    },
  });
  const onError = (error: Error): void => log.warn({ error: error.message }, 'lost a connection to PostgreSQL');
  pool.on('error', onError);
  // A client in use reports to whoever runs a query on it; without a listener of its own the process would end.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** The connection itself failed: what was under way may or may not have happened. */
export class ConnectionTrouble extends Error {
  override readonly name = 'ConnectionTrouble';
}

/** Statements with parameters are prepared once per connection, under a name. */
export function postgresSql(client: pg.ClientBase): Sql {
  const query = async (text: string, params: readonly SqlValue[]): Promise<pg.QueryResult> => {
    try {
      if (params.length === 0) return await client.query(text);
      return await client.query({ ...named(text), values: params as SqlValue[] });
    } catch (error) {
      if (error instanceof pg.DatabaseError) throw error;
      throw new ConnectionTrouble(error instanceof Error ? error.message : String(error), { cause: error });
    }
  };
  return {
    locks: 'rows',
    all: async <R extends object>(text: string, params: readonly SqlValue[]) => (await query(text, params)).rows as R[],
    run: async (text, params) => {
      const { command, rowCount } = await query(text, params);
      // PostgreSQL answers the commit of a transaction in which something failed with a quiet ROLLBACK.
      if (text === 'commit' && command !== 'COMMIT') throw new ConnectionTrouble('the commit became a rollback');
      return rowCount ?? 0;
    },
  };
}

const statements = new Map<string, { readonly name: string; readonly text: string }>();

/** `?` becomes `$1`, `$2`, …; no statement of ours has a question mark elsewhere. The texts are constants, so the map is bounded. */
function named(text: string): { readonly name: string; readonly text: string } {
  let statement = statements.get(text);
  if (statement === undefined) {
    let count = 0;
    const numbered = text.replace(/\?/g, () => {
      count += 1;
      return `$${count}`;
    });
    statement = { name: `koukan_${statements.size + 1}`, text: numbered };
    statements.set(text, statement);
  }
  return statement;
}

/** SQLSTATE classes (PostgreSQL manual, appendix A) that say that the statement or its data is wrong, or is too much for a limit of the program (54). */
const OPERATION = /^(21|22|23|42|54)/;
/** Serialisation failure, deadlock, lock not available. */
const AGAIN = /^(40|55P03)/;

/** `disk_full` of its class 53, insufficient resources. */
export function isFull(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '53100';
}

/**
 * Whether what was under way may have been committed all the same. A server that gives itself up because it cannot sync says so in an error (PANIC), and
 * may find the commit in its log when it starts again.
 */
export function mayBeCommitted(error: unknown): boolean {
  if (error instanceof ConnectionTrouble) return true;
  return error instanceof pg.DatabaseError && /^(PANIC|FATAL)$/.test(error.severity ?? '');
}

export function postgresFailureKind(error: unknown): FailureKind {
  if (error instanceof ConnectionTrouble) return 'unavailable';
  if (!(error instanceof pg.DatabaseError)) return 'operation';
  const code = error.code ?? '';
  if (AGAIN.test(code)) return 'again';
  // A statement after a failed one says only that something failed before; it cannot be the first error of a batch.
  return OPERATION.test(code) ? 'operation' : 'unavailable';
}
