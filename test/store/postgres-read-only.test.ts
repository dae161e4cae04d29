/** A server that was made read-only by default, by its operator or a full disk: it is away, and nothing is written there all the same. */
import pg from 'pg';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { type Store, StoreUnavailableError } from '../../src/lib/store/store.ts';
import { openTestStore, postgres, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

let database: TestDatabase;
let store: Store | undefined;

async function alter(what: string): Promise<void> {
  const client = new pg.Client(inject('postgresUrl'));
  await client.connect();
  await client.query(`alter database ${new URL(database.url).pathname.slice(1)} ${what}`);
  await client.end();
}

beforeEach(async () => {
  database = await postgres.create();
});

afterEach(async () => {
  await store?.close();
  await database.drop();
});

it('takes nothing while it is, and all again after that', async () => {
  store = await openTestStore(database);
  await alter('set default_transaction_read_only = on');
  await expect(store.create([sampleTransaction('a')], 1)).rejects.toThrow(StoreUnavailableError);
  await alter('reset default_transaction_read_only');
  await store.create([sampleTransaction('b')], 1);
  expect([await store.load('a'), (await store.load('b'))?.record.id]).toEqual([undefined, 'b']);
});
