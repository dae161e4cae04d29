import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bodyBytes } from '../../src/lib/core/body.ts';
import { openStore } from '../../src/lib/store/open.ts';
import { BODY_BLOB, type Store } from '../../src/lib/store/store.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

describe.each(databases)('the store on $name', (kind) => {
  let database: TestDatabase;
  let store: Store;

  beforeEach(async () => {
    database = await kind.create();
    store = await openStore({ url: database.url, clock: new FakeClock(), log: memoryLog(), autoMigrate: true });
    await store.openSession('http://one:8000', 1000);
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  it('gives back a transaction as it was created', async () => {
    await store.create([sampleTransaction('a')], 1000);
    const loaded = await store.load('a');
    expect(loaded).toMatchObject({ inputDone: true, version: 1, nextAttemptAt: 1000, cancelled: false });
    const body = await store.openBlob('a', BODY_BLOB);
    expect(body && (await bodyBytes(body)).toString()).toContain('hello');
  });
});
