import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bodyBytes, memoryBody } from '../../src/lib/core/body.ts';
import { readMigrations } from '../../src/lib/store/migrations.ts';
import { openPostgresSchema } from '../../src/lib/store/postgres/schema.ts';
import type { SchemaConnection } from '../../src/lib/store/schema-connection.ts';
import { openSqliteSchema } from '../../src/lib/store/sqlite/schema.ts';
import type { Store } from '../../src/lib/store/store.ts';
import { parseStoreUrl } from '../../src/lib/store/url.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

/** Bodies are in another form since. */
const VERSION = 3;

/** As that version left them when it was killed: one in work, whose body is two pieces, and one that ended and shares it. */
const ROWS = `
  insert into sessions (uri, opened_at, refreshed_at) values ('http://one:8000', 1, 1);
  insert into transactions (id, sender, origin, mail_from, rcpt_to, filter_output, retry, notification, created_at, updated_at, version,
      input_done, cancelled, final_outcome, final_text, lease_session_id)
    values ('old', 'submission', '{}', '{"address":"a@example.com","params":[]}', '[{"address":"b@example.org","params":[]}]', '{}', 1, 1, 1,
        1, 1, 1, 0, null, null, 1),
      ('ended', 'submission', '{}', '{"address":"a@example.com","params":[]}', '[{"address":"c@example.org","params":[]}]', '{}', 1, 1, 1,
        1, 1, 1, 0, 'delivered', 'ok', null);
  insert into attempts (transaction_id, number, started_at, replies) values ('old', 1, 1, '{"rcpt":[null]}');
  insert into blobs (length, total_length, reference_count, touched_at) values (11, 11, 2, 1);
  insert into blob_chunks (blob_id, start_offset, content) select id, 0, CONTENT'68656c6c6f' from blobs;
  insert into blob_chunks (blob_id, start_offset, content) select id, 5, CONTENT'20776f726c64' from blobs;
  insert into transaction_blobs (transaction_id, name, blob_id) select t.id, 'body', b.id from transactions t, blobs b;`;

describe.each(databases)('a database of the version before on $name', (kind) => {
  let database: TestDatabase;
  let store: Store;

  const connect = (): Promise<SchemaConnection> => {
    const url = parseStoreUrl(database.url);
    return url.kind === 'sqlite' ? openSqliteSchema(url.file, true) : openPostgresSchema(url.url, url.shown);
  };

  const ask = async <R extends object>(question: string): Promise<readonly R[]> => {
    const connection = await connect();
    try {
      return await connection.sql.all<R>(question, []);
    } finally {
      await connection.close();
    }
  };

  const textOf = async (id: string): Promise<string> => {
    const body = await store.openBlob(id, 'body');
    return body === undefined ? 'nothing' : (await bodyBytes(body)).toString();
  };

  beforeEach(async () => {
    database = await kind.create();
    const connection = await connect();
    await connection.script(
      'create table schema_migrations (version integer primary key, name text not null, applied_at bigint not null)',
    );
    for (const { version, name, sql } of (await readMigrations(kind.name)).slice(0, VERSION)) {
      await connection.script(`${sql}; insert into schema_migrations values (${version}, '${name}', 1)`);
    }
    await connection.script(ROWS.replaceAll("CONTENT'", kind.name === 'sqlite' ? "x'" : "'\\x"));
    await connection.close();
    store = await openTestStore(database);
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  it('gives its messages to a router of this one, with their bodies and attempts', async () => {
    await store.openSession('http://one:8000', 2000);
    const [claimed] = await store.claimDue(2000, 10);
    expect(claimed).toMatchObject({ record: { id: 'old' }, blobs: [{ name: 'body', length: 11, finalized: true }] });
    const loaded = await store.load('old');
    expect(loaded?.attempts.map(({ number }) => number)).toEqual([1, 2]);
    expect(await textOf('old')).toBe('hello world');
  });

  it('shares its bodies with new transactions, and each goes with the last who uses it', async () => {
    const reuse = { kind: 'reuse', txId: 'old', name: 'body' } as const;
    const own = memoryBody(Buffer.from('my own'));
    await store.create([sampleTransaction('new', { body: reuse }), sampleTransaction('other', { body: own })], 3000);
    expect([await textOf('new'), await textOf('ended'), await textOf('other')]).toEqual([
      'hello world',
      'hello world',
      'my own',
    ]);
    await store.openSession('http://one:8000', 3000);
    for (const id of ['old', 'new', 'other']) await store.cancel(id, 3000);
    expect(await store.collectGarbage(2000, 10)).toMatchObject({ transactions: 1, blobs: 0 });
    expect(await textOf('new')).toBe('hello world');
    expect(await store.collectGarbage(4000, 10)).toMatchObject({ transactions: 3, blobs: 2 });
    expect(await ask('select id from blobs')).toEqual([]);
    expect(await ask('select blob_id from blob_chunks')).toEqual([]);
  });

  // On SQLite there is one router, so nobody else has to understand what it writes.
  if (kind.name === 'postgres')
    it('is read on by routers of the version before: what is new is written as they know it', async () => {
      const body = memoryBody(Buffer.from('hello new world'));
      await store.create(
        [sampleTransaction('new', { body }), sampleTransaction('empty', { body: { kind: 'open' } })],
        1,
      );
      const rows = await ask<{ content: Buffer | null }>(
        `select r.transaction_id, r.name, c.content from transaction_blobs r left join blob_chunks c on c.blob_id = r.blob_id
          where r.transaction_id in ('new', 'empty') order by r.transaction_id`,
      );
      expect(rows).toEqual([
        { transaction_id: 'empty', name: 'body', content: null },
        { transaction_id: 'new', name: 'body', content: Buffer.from('hello new world') },
      ]);
    });
});
