/** A database as the version before left it when it was killed, with transactions in every state: each goes on where it was. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bodyBytes } from '../../src/lib/core/body.ts';
import { readMigrations } from '../../src/lib/store/migrations.ts';
import { openPostgresSchema } from '../../src/lib/store/postgres/schema.ts';
import { openSqliteSchema } from '../../src/lib/store/sqlite/schema.ts';
import type { Store } from '../../src/lib/store/store.ts';
import { parseStoreUrl } from '../../src/lib/store/url.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';

/** Attempts are all in a table of their own. */
const VERSION = 4;

const STATES: Readonly<Record<string, string>> = {
  // input_done, cancelled, final_outcome, final_text, next_attempt_at, lease_session_id, uncertain
  leased: '1, 0, null, null, null, 1, 0',
  second: '1, 0, null, null, null, 1, 0',
  cancelled: '1, 1, null, null, null, 1, 0',
  deferred: '1, 0, null, null, 5000, null, 0',
  fresh: '1, 0, null, null, 5000, null, 0',
  uncertain: '1, 0, null, null, null, null, 1',
  incomplete: '0, 0, null, null, null, null, 0',
  delivered: "1, 0, 'delivered', 'ok', null, null, 0",
};

/** transaction, number, ended_at, dot_sent_at */
const ATTEMPTS = [
  ['leased', 1, 'null', 'null'],
  ['second', 1, '3', 'null'],
  ['second', 2, 'null', '4'],
  ['cancelled', 1, 'null', 'null'],
  ['deferred', 1, '3', 'null'],
  ['uncertain', 1, '3', '2'],
  ['delivered', 1, '3', 'null'],
] as const;

const rowsOf = (isSqlite: boolean): string => `
  insert into sessions (uri, opened_at, refreshed_at) values ('http://one:8000', 1, 1);
  insert into blobs (length, total_length, reference_count, touched_at${isSqlite ? ', content' : ''})
    values (5, 5, 7, 1${isSqlite ? ", x'68656c6c6f'" : ''});
  ${isSqlite ? '' : "insert into blob_chunks (blob_id, start_offset, content) select id, 0, '\\x68656c6c6f' from blobs;"}
  ${Object.entries(STATES)
    .map(
      ([
        id,
        state,
      ]) => `insert into transactions (id, sender, origin, mail_from, rcpt_to, filter_output, retry, notification, created_at,
        updated_at, version, input_done, cancelled, final_outcome, final_text, next_attempt_at, lease_session_id, uncertain)
      values ('${id}', 'submission', '{}', '{"address":"a@example.com","params":[]}', '[{"address":"b@example.org","params":[]}]', '{}',
        1, 1, 1, 1, 1, ${state});`,
    )
    .join('\n')}
  ${
    isSqlite
      ? "update transactions set body_blob_id = (select id from blobs) where id <> 'incomplete';"
      : "insert into transaction_blobs (transaction_id, name, blob_id) select t.id, 'body', b.id from transactions t, blobs b where t.id <> 'incomplete';"
  }
  ${ATTEMPTS.map(
    ([id, number, ended, dot]) =>
      `insert into attempts (transaction_id, number, started_at, ended_at, replies, dot_sent_at)
        values ('${id}', ${number}, ${number}, ${ended}, '{"rcpt":[null]}', ${dot});`,
  ).join('\n')}`;

describe.each(databases)('a database of version 4 on $name', (kind) => {
  let database: TestDatabase;
  let store: Store;

  beforeEach(async () => {
    database = await kind.create();
    const url = parseStoreUrl(database.url);
    const connection =
      url.kind === 'sqlite' ? await openSqliteSchema(url.file, true) : await openPostgresSchema(url.url, url.shown);
    await connection.script(
      'create table schema_migrations (version integer primary key, name text not null, applied_at bigint not null)',
    );
    for (const { version, name, sql } of (await readMigrations(kind.name)).slice(0, VERSION)) {
      await connection.script(`${sql}; insert into schema_migrations values (${version}, '${name}', 1)`);
    }
    await connection.script(rowsOf(kind.name === 'sqlite'));
    await connection.close();
    store = await openTestStore(database);
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  const numbers = async (id: string): Promise<readonly number[] | undefined> =>
    (await store.load(id))?.attempts.map(({ number }) => number);

  it('has its attempts and states as they were', async () => {
    const found: Record<string, unknown> = {};
    for (const id of Object.keys(STATES)) found[id] = await numbers(id);
    expect(found).toEqual({
      leased: [1],
      second: [1, 2],
      cancelled: [1],
      deferred: [1],
      fresh: [],
      uncertain: [1],
      incomplete: [],
      delivered: [1],
    });
    expect(await store.load('second')).toMatchObject({ lease: { sessionId: '1' }, attempts: [{}, { dotSentAt: 4 }] });
    expect(await store.load('uncertain')).toMatchObject({ uncertain: true });
    expect(await store.load('incomplete')).toMatchObject({ inputDone: false });
    expect(await store.load('delivered')).toMatchObject({ final: { outcome: 'delivered' } });
  });

  it('is gone on with: what was in work or due is claimed, marked, and ends', async () => {
    await store.openSession('http://one:8000', 6000);
    expect(await store.load('cancelled')).toMatchObject({ final: { outcome: 'cancelled' } });
    const claimed = await store.claimDue(6000, 10);
    expect(claimed.map(({ record }) => record.id).sort()).toEqual(['deferred', 'fresh', 'leased', 'second']);
    for (const { record, attempts } of claimed) {
      const { id } = record;
      const running = attempts.at(-1);
      expect(running).toMatchObject({ startedAt: 6000 });
      const number = running?.number ?? 0;
      expect(await store.markDotSent({ id, attempt: number, at: 6100, hosts: [], replies: { rcpt: [] } })).toBe(true);
      const attempt = { number, startedAt: 6000, endedAt: 6200, replies: { rcpt: [] } };
      const next = { kind: 'final', final: { outcome: 'delivered', text: 'ok' } } as const;
      await store.recordOutcome({ id, attempt, filterOutput: {}, next, spawn: [], version: 2 }, 6200);
      expect((await store.load(id))?.attempts.at(-1)).toEqual(attempt);
    }
    expect(await numbers('fresh')).toEqual([1]);
    expect(await numbers('leased')).toEqual([1, 2]);
    expect(await numbers('second')).toEqual([1, 2, 3]);
  });

  it('keeps its bodies until the last who uses them is collected', async () => {
    const body = await store.openBlob('uncertain', 'body');
    expect(body && (await bodyBytes(body)).toString()).toBe('hello');
    await store.cancel('uncertain', 7000);
    for (const id of ['deferred', 'fresh']) await store.cancel(id, 7000);
    await store.openSession('http://one:8000', 7000);
    for (const id of ['leased', 'second']) await store.cancel(id, 7000);
    expect(await store.collectGarbage(8000, 20)).toMatchObject({ transactions: 8, blobs: 1 });
    expect(await store.list({ filter: {}, limit: 10 })).toMatchObject({ transactions: [] });
  });
});
