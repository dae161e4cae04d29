/**
 * Runs a batch of writes as one transaction: the heart of group commit, the same for both engines.
 *
 * First all of them run together. When one fails, everything is rolled back and run once more with a savepoint around each, so that the
 * failing one fails alone. Failures are bugs (refusals are results), so the usual batch pays for no savepoints.
 */
import type { Operation } from './sql/index.ts';
import { writes } from './sql/index.ts';
import type { Sql, SqlValue } from './sql/sql.ts';

export type Settled =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly failure: OperationFailure };

/** An error as plain data: it may have to leave a worker thread. */
export interface OperationFailure {
  readonly message: string;
  /** The engine's error code, if it came from there. */
  readonly code: string | undefined;
  readonly stack: string | undefined;
}

/** What a failing statement means: this operation is wrong; another writer was in the way, run again; the database is in trouble. */
export type FailureKind = 'operation' | 'again' | 'unavailable';

export interface BatchConnection {
  readonly sql: Sql;
  readonly begin: string;
  readonly failureKind: (error: unknown) => FailureKind;
  /** Hears that the commit is about to be asked for: from then on nobody knows, until it is answered. */
  readonly onCommit?: () => void;
  /** How a batch in which nothing is wrong is run, and answers the result of each operation; without it, one after the other. */
  readonly runAll?: (sql: Sql, operations: readonly Operation[]) => Promise<readonly unknown[]>;
  /**
   * The same from `begin` to the commit, for a batch that needs no answer in between: it waits for the database once. `undefined` for one that
   * does. When it throws, the transaction is over.
   */
  readonly commitAll?: (
    sql: Sql,
    begin: string,
    operations: readonly Operation[],
  ) => Promise<readonly unknown[]> | undefined;
}

export interface BatchResult {
  readonly results: readonly Settled[];
  /** Something was changed, so the commit cost a sync. */
  readonly changed: boolean;
}

/** Throws when nothing of the batch was committed, or when that is not known: the caller promises nothing to anybody. */
export async function runBatch(connection: BatchConnection, operations: readonly Operation[]): Promise<BatchResult> {
  try {
    return await (runInOneGo(connection, operations) ?? runOnce(connection, operations, runUnguarded));
  } catch (error) {
    if (connection.failureKind(error) !== 'operation') throw error;
    return runOnce(connection, operations, oneByOne(runGuarded));
  }
}

function runInOneGo(connection: BatchConnection, operations: readonly Operation[]): Promise<BatchResult> | undefined {
  if (connection.commitAll === undefined) return undefined;
  const counted = countChanges(connection.sql);
  const committed = connection.commitAll(counted.sql, connection.begin, operations);
  return committed?.then((values) => ({ results: values.map(done), changed: counted.changes() > 0 }));
}

function done(value: unknown): Settled {
  return { kind: 'done', value };
}

type RunOperations = (
  connection: BatchConnection,
  sql: Sql,
  operations: readonly Operation[],
) => Promise<readonly Settled[]>;
type RunOperation = (connection: BatchConnection, sql: Sql, operation: Operation) => Promise<Settled>;

async function runOnce(
  connection: BatchConnection,
  operations: readonly Operation[],
  run: RunOperations,
): Promise<BatchResult> {
  const counted = countChanges(connection.sql);
  let results: readonly Settled[];
  await connection.sql.run(connection.begin, []);
  try {
    results = await run(connection, counted.sql, operations);
    connection.onCommit?.();
    await connection.sql.run('commit', []);
  } catch (error) {
    // A connection in trouble is given up, and with it the transaction; asking it for a rollback may take as long again as it took to fail.
    if (connection.failureKind(error) !== 'unavailable') await rollBack(connection.sql, error);
    throw error;
  }
  return { results, changed: counted.changes() > 0 };
}

/** A rollback that fails as well adds nothing: the connection is given up because of the first error. */
async function rollBack(sql: Sql, cause: unknown): Promise<void> {
  try {
    await sql.run('rollback', []);
  } catch (error) {
    if (error instanceof Error && error.cause === undefined) error.cause = cause;
  }
}

const oneByOne =
  (runOperation: RunOperation): RunOperations =>
  async (connection, sql, operations) => {
    const results: Settled[] = [];
    for (const operation of operations) results.push(await runOperation(connection, sql, operation));
    return results;
  };

const runPlainly: RunOperation = async (_connection, sql, operation) => ({
  kind: 'done',
  value: await writes[operation.verb](sql, operation.args as never),
});

const runUnguarded: RunOperations = async (connection, sql, operations) => {
  if (connection.runAll === undefined) return oneByOne(runPlainly)(connection, sql, operations);
  const values = await connection.runAll(sql, operations);
  return values.map(done);
};

const runGuarded: RunOperation = async (connection, sql, operation) => {
  await connection.sql.run('savepoint operation', []);
  try {
    const settled = await runPlainly(connection, sql, operation);
    await connection.sql.run('release savepoint operation', []);
    return settled;
  } catch (error) {
    if (connection.failureKind(error) !== 'operation') throw error;
    await connection.sql.run('rollback to savepoint operation', []);
    await connection.sql.run('release savepoint operation', []);
    return { kind: 'failed', failure: plainFailure(error) };
  }
};

function plainFailure(error: unknown): OperationFailure {
  if (!(error instanceof Error)) return { message: String(error), code: undefined, stack: undefined };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { message: error.message, code, stack: error.stack };
}

/** A batch that only looked (nothing was due, say) is committed for free and must not count as a sync. */
function countChanges(sql: Sql): { readonly sql: Sql; readonly changes: () => number } {
  let changes = 0;
  const countRows = <R extends object>(text: string, rows: readonly R[]): readonly R[] => {
    if (!text.startsWith('select')) changes += rows.length;
    return rows;
  };
  const countTouched = (touched: number): number => {
    changes += touched;
    return touched;
  };
  const { atOnce } = sql;
  const counting: Sql = {
    locks: sql.locks,
    all: async <R extends object>(text: string, params: readonly SqlValue[]) =>
      countRows(text, await sql.all<R>(text, params)),
    run: async (text, params) => countTouched(await sql.run(text, params)),
    ...(atOnce !== undefined && {
      atOnce: {
        all: <R extends object>(text: string, params: readonly SqlValue[]) =>
          countRows(text, atOnce.all<R>(text, params)),
        run: (text: string, params: readonly SqlValue[]) => countTouched(atOnce.run(text, params)),
        insert: (text: string, params: readonly SqlValue[]) => {
          changes += 1;
          return atOnce.insert(text, params);
        },
      },
    }),
  };
  return { sql: counting, changes: () => changes };
}
