import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import type { ListFilter } from '../../src/lib/store/list.ts';
import { migrate } from '../../src/lib/store/migrate.ts';
import { openPostgresSchema } from '../../src/lib/store/postgres/schema.ts';
import type { SchemaConnection } from '../../src/lib/store/schema-connection.ts';
import { listTransactions } from '../../src/lib/store/sql/list-transactions.ts';
import { queueDepth } from '../../src/lib/store/sql/queue-depth.ts';
import type { Sql, SqlValue } from '../../src/lib/store/sql/sql.ts';
import { openSqliteSchema } from '../../src/lib/store/sqlite/schema.ts';
import { parseStoreUrl } from '../../src/lib/store/url.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';

const ROWS = 100_000;

/** Mostly delivered, some failed, a few waiting; ten senders, a thousand recipients of twenty domains. */
const FILL = `
  with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${ROWS})
  insert into transactions (id, sender, origin, mail_from, rcpt_to, filter_output, retry, notification, created_at, updated_at, version,
      input_done, cancelled, final_outcome, final_text, next_attempt_at, rcpt_address, rcpt_domain, mail_from_address)
    select 'tx' || n, 's' || (n % 10), '{}', '{"address":"a","params":[]}', '[{"address":"b","params":[]}]', '{}', 1, 1, n, n, 1, 1, 0,
      case when n % 1000 = 0 then null when n % 500 = 1 then 'failed' else 'delivered' end, 'done',
      case when n % 1000 = 0 then n else null end,
      'r' || (n % 1000) || '@d' || (n % 20) || '.example', 'd' || (n % 20) || '.example', 'f' || (n % 10) || '@example.com' from numbers;
  insert into attempts (transaction_id, number, started_at, replies) select id, 1, 1, '{"rcpt":[]}' from transactions;
  analyze;`;

describe.each(databases)(`a list of ${ROWS} transactions on $name`, (kind) => {
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
  });

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
    });
    const explain = kind.name === 'sqlite' ? 'explain query plan ' : 'explain ';
    const plans: string[] = [];
    for (const { text, params } of asked) {
      const rows = await sql.all<Record<string, unknown>>(explain + text, params);
      plans.push(rows.map((row) => String(row.detail ?? row['QUERY PLAN'])).join('\n'));
    }
    return plans;
  };

  const before = { createdAt: 70_000, id: 'x' };
  const filters: readonly (readonly [string, ListFilter, string])[] = [
    ['everything', {}, 'transactions_created'],
    ['a sender', { sender: 's3' }, 'transactions_by_sender'],
    ['a recipient', { to: { address: 'r3@d3.example' } }, 'transactions_by_rcpt'],
    ['a domain', { to: { domain: 'd3.example' } }, 'transactions_created'],
    ['a reverse-path', { from: 'f3@example.com' }, 'transactions_created'],
    ['a state that is rare', { state: 'failed' }, 'transactions_not_delivered'],
    ['what is deferred', { state: 'deferred' }, 'transactions_open'],
    ['what is in work', { state: 'active' }, 'transactions_leased'],
    ['what was delivered', { state: 'delivered' }, 'transactions_created'],
    ['what nobody has', { sender: 's3', state: 'cancelled' }, 'transactions_not_delivered'],
    ['a domain and a sender', { to: { domain: 'd3.example' }, sender: 's4' }, 'transactions_by_sender'],
    ['what waits for a domain', { to: { domain: 'd3.example' }, state: 'deferred' }, 'transactions_open'],
    ['what a sender sent to a recipient', { sender: 's3', to: { address: 'r3@d3.example' } }, 'transactions_by_rcpt'],
    ['the senders of somebody', { senders: ['s3', 's4'] }, 'transactions_created'],
  ];

  it.each(filters)('reads no more than a page needs for %s', async (_, filter, index) => {
    for (const ask of [
      { filter, limit: 50 },
      { filter, limit: 50, before },
    ]) {
      const plans = await plansOf((sql) => listTransactions(sql, ask));
      expect(plans[0]).toContain(index);
      for (const plan of plans) {
        expect(plan).not.toMatch(/Seq Scan on (transactions|attempts)/);
        expect(plan).not.toMatch(/SCAN (transactions|t|a|attempts|newest)\b(?! USING (COVERING )?INDEX transactions_)/);
      }
    }
  });

  it('finds all there is of a rare combination, in pages that may be short', async () => {
    const filter: ListFilter = { sender: 's1', to: { domain: 'd1.example' }, state: 'failed' };
    let found = 0;
    let pages = 0;
    for (let page = await listTransactions(connection.sql, { filter, limit: 20 }); ; pages += 1) {
      found += page.transactions.length;
      if (page.next === undefined) break;
      page = await listTransactions(connection.sql, { filter, limit: 20, before: page.next });
    }
    expect(found).toBe(ROWS / 500);
    // Everything that failed is looked at once, in pieces.
    expect(pages).toBeLessThanOrEqual(ROWS / 500 / 20 + ROWS / 500 / limits.listScanRows);
  });

  it('is counted without a look at what has ended', async () => {
    const plans = await plansOf((sql) => queueDepth(sql));
    expect(plans.join('\n')).not.toMatch(/Seq Scan on transactions/);
    expect(plans.join('\n')).not.toMatch(/SCAN transactions(?! USING (COVERING )?INDEX transactions_)/);
    expect(await queueDepth(connection.sql)).toEqual({
      active: 0,
      deferred: 100,
      incomplete: 0,
      uncertain: 0,
      nextDueAt: 1000,
    });
  });
});
