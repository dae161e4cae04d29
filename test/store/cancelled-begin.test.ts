/** What an operator cancels is the beginning of a transaction whose statements are on their way already: nothing of them may be stored. */
import type pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { migrate } from '../../src/lib/store/migrate.ts';
import { BEGIN, openPool, postgresSql } from '../../src/lib/store/postgres/connection.ts';
import { commitTogether } from '../../src/lib/store/postgres/together.ts';
import { newTxRow, nextColumns } from '../../src/lib/store/rows.ts';
import type { Operation } from '../../src/lib/store/sql/index.ts';
import type { Sql } from '../../src/lib/store/sql/sql.ts';
import { parseStoreUrl } from '../../src/lib/store/url.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { eventually } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';
import { sampleRecord } from '../helpers/sample-transactions.ts';

let database: TestDatabase;
let pool: pg.Pool;

beforeEach(async () => {
  const created = await databases.find(({ name }) => name === 'postgres')?.create();
  if (created === undefined) throw new Error('there is no PostgreSQL to test on');
  database = created;
  await migrate(parseStoreUrl(database.url), { now: 1, mayCreate: true });
  pool = openPool(database.url, memoryLog(), 30_000);
});

afterEach(async () => {
  await pool.end();
  await database.drop();
});

function create(id: string): Operation<'createTransactions'> {
  const row = newTxRow(sampleRecord(id), nextColumns({ kind: 'due', at: 7 }, 1), true, 5);
  return { verb: 'createTransactions', args: { bodies: [], transactions: [{ row, attempts: [], blobs: [] }], now: 5 } };
}

/** The database knows no such number. */
const impossible: Operation<'markDotSent'> = {
  verb: 'markDotSent',
  args: { txId: 'b', sessionId: 2 ** 64, number: 1, at: 1, hosts: null, replies: '{}' },
};

/** The connection, but that its transactions take long to begin: time enough to cancel that. */
function slowToBegin(sql: Sql): Sql {
  return { ...sql, run: (text, params) => sql.run(text === BEGIN ? 'select pg_sleep(30)' : text, params) };
}

async function cancelWhatSleeps(): Promise<void> {
  const cancel = `select pg_cancel_backend(pid) from pg_stat_activity
    where datname = current_database() and state = 'active' and query = 'select pg_sleep(30)'`;
  await eventually(async () => (await pool.query(cancel)).rowCount === 1);
}

it.each([
  ['and all else would work', [create('a')]],
  ['and another statement fails', [create('a'), impossible]],
])('a batch is refused as a whole when its beginning is cancelled %s', async (_, operations) => {
  const client = await pool.connect();
  try {
    const committed = commitTogether(slowToBegin(postgresSql(client)), BEGIN, operations);
    const refused = expect(committed).rejects.toMatchObject({ code: '57014' });
    await cancelWhatSleeps();
    await refused;
  } finally {
    client.release(true);
  }
  const { rows } = await pool.query('select id from transactions');
  expect(rows).toEqual([]);
});
