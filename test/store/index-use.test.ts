import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { migrate } from '../../src/lib/store/migrate.ts';
import { NOBODY } from '../../src/lib/store/passed-over.ts';
import { openPostgresSchema } from '../../src/lib/store/postgres/schema.ts';
import type { SchemaConnection } from '../../src/lib/store/schema-connection.ts';
import { appendBlob } from '../../src/lib/store/sql/append-blob.ts';
import { claimDue, nextDueAt } from '../../src/lib/store/sql/claim-due.ts';
import { collectGarbage } from '../../src/lib/store/sql/collect-garbage.ts';
import { endSession } from '../../src/lib/store/sql/end-session.ts';
import { listLeases, releaseLeases } from '../../src/lib/store/sql/leases.ts';
import { loadTransaction } from '../../src/lib/store/sql/load-transaction.ts';
import { readChunk } from '../../src/lib/store/sql/read-chunk.ts';
import type { Sql, SqlValue } from '../../src/lib/store/sql/sql.ts';
import { openSqliteSchema } from '../../src/lib/store/sqlite/schema.ts';
import { parseStoreUrl } from '../../src/lib/store/url.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';

const OF_ONE = { sessionId: 1, onlyCancelled: false };
const RELEASE = {
  sessionId: 1,
  leases: [{ txId: 'tx1', version: 1, cancelled: false }],
  dueAt: 5,
  dropAttempt: true,
  now: 5,
};
const WHOLE_UPLOAD = {
  txId: 'open',
  name: 'body',
  offset: 0,
  chunks: [Buffer.from('hi')],
  requestEnd: 2,
  total: 2,
  now: 5,
};
const ROWS = 100_000;

/**
 * Transactions and their blobs, in numbers at which a plan that looks at all of them is no plan: half of them finished, a hundred due, a
 * hundred in work, and the others waiting for their time.
 */
const FILL = `
  insert into sessions (uri, opened_at, refreshed_at) values ('http://one:8000', 1, 1);
  with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${ROWS})
  insert into transactions (id, sender, origin, rcpt_to, filter_output, retry, notification, created_at, updated_at, version,
      input_done, cancelled, final_outcome, final_text, next_attempt_at, lease_session_id)
    select 'tx' || n, 's', '{}', '[]', '{}', 1, 1, 1, n, 1, 1, 0,
      case when n % 2 = 0 then 'delivered' end, case when n % 2 = 0 then 'done' end,
      case when n % 2 = 1 and n % 1000 <> 1 then case when n % 1000 = 3 then n else 1000000 + n end end,
      case when n % 1000 = 1 then 1 end
    from numbers;
  with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${ROWS})
  insert into blobs (length, total_length, reference_count, touched_at) select 0, 0, 1, n from numbers;
  insert into transaction_blobs (transaction_id, name, blob_id) select 'tx' || id, 'body', id from blobs;
  insert into transactions (id, sender, origin, rcpt_to, filter_output, retry, notification, created_at, updated_at, version, input_done,
      cancelled) values ('open', 's', '{}', '[]', '{}', 1, 1, 1, 1, 1, 0, 0);
  insert into blobs (length, reference_count, touched_at) values (0, 1, 1);
  insert into transaction_blobs (transaction_id, name, blob_id) select 'open', 'body', max(id) from blobs;
  analyze;`;

const CLAIM = { sessionId: 1, now: 20_000, limit: 10, passedOver: NOBODY };
const FLOODERS = { shares: ['app'], lanes: ['submission example.com'] };

describe.each(databases)('the queue in a large database on $name', (kind) => {
  let database: TestDatabase;
  let connection: SchemaConnection;

  beforeAll(async () => {
    database = await kind.create();
    const url = parseStoreUrl(database.url);
    await migrate(url, { now: 1, mayCreate: true });
    connection =
      url.kind === 'sqlite'
        ? await openSqliteSchema(url.file, false)
        : await openPostgresSchema(url.url, url.shown, 120_000);
    await connection.script(FILL);
  }, 120_000);

  afterAll(async () => {
    await connection.close();
    await database.drop();
  });

  /** Runs a verb and answers the plan of every statement in it. */
  const plansOf = async (run: (sql: Sql) => Promise<unknown>): Promise<string[]> => {
    const asked: { text: string; params: readonly SqlValue[] }[] = [];
    const { sql } = connection;
    await run({
      ...sql,
      all: (text, params) => {
        asked.push({ text, params });
        return sql.all(text, params);
      },
      run: (text, params) => {
        asked.push({ text, params });
        return sql.run(text, params);
      },
    });
    const explain = kind.name === 'sqlite' ? 'explain query plan ' : 'explain ';
    const plans: string[] = [];
    for (const { text, params } of asked) {
      const rows = await sql.all<Record<string, unknown>>(explain + text, params);
      plans.push(rows.map((row) => String(row.detail ?? row['QUERY PLAN'])).join('\n'));
    }
    return plans;
  };

  it('is asked for what is due in few words, which are prepared once, however many are passed over', async () => {
    const texts = new Set<string>();
    const all: Sql['all'] = (text, params) => {
      texts.add(text);
      return connection.sql.all(text, params);
    };
    const names = Array.from({ length: 100 }, (_, i) => `sender${i}`);
    for (let i = 0; i <= names.length; i += 1) {
      const passedOver = { shares: names.slice(0, i), lanes: names.slice(i) };
      await claimDue({ ...connection.sql, all }, { ...CLAIM, limit: 0, passedOver });
    }
    expect(texts.size).toBeLessThan(16);
  });

  it.each([
    ['claiming', 'transactions_due', (sql: Sql) => claimDue(sql, CLAIM)],
    ['claiming for others', 'transactions_due', (sql: Sql) => claimDue(sql, { ...CLAIM, passedOver: FLOODERS })],
    ['asking when the next is due', 'transactions_due', (sql: Sql) => nextDueAt(sql)],
    ['asking what is leased', 'transactions_leased', (sql: Sql) => listLeases(sql, OF_ONE)],
    [
      'asking what was cancelled',
      'transactions_leased',
      (sql: Sql) => listLeases(sql, { ...OF_ONE, onlyCancelled: true }),
    ],
    ['letting go of leases', 'transactions', (sql: Sql) => releaseLeases(sql, RELEASE)],
    ['reading one', 'transactions', (sql: Sql) => loadTransaction(sql, { txId: 'tx5' })],
    ['reading its body', 'blob_chunks', (sql: Sql) => readChunk(sql, { blobId: 5, offset: 0 })],
    ['the end of an upload', 'transactions', (sql: Sql) => appendBlob(sql, WHOLE_UPLOAD)],
    ['ending a session', 'transactions_leased', (sql: Sql) => endSession(sql, { sessionId: 1, now: 5 })],
    [
      'collecting garbage',
      'transactions_ended',
      (sql: Sql) => collectGarbage(sql, { before: 9, filesBefore: 9, limit: 2 }),
    ],
  ])('is not read through by %s', async (_, index, run) => {
    const plans = await plansOf(run);
    expect(plans.join('\n')).toContain(index);
    for (const plan of plans) {
      expect(plan).not.toMatch(/Seq Scan on (transactions|blobs|transaction_blobs)/);
      expect(plan).not.toMatch(
        /SCAN (transactions|blobs|transaction_blobs)\b(?! USING (COVERING )?INDEX transactions_due)/,
      );
    }
  });
});
