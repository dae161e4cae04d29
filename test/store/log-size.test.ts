import { stat } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import type { Store } from '../../src/lib/store/store.ts';
import { openTestStore, sqlite, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

const MEBIBYTE = 1024 * 1024;
const BODY_BYTES = 200_000;

describe('the write-ahead log of SQLite', () => {
  let database: TestDatabase;
  let store: Store;

  beforeEach(async () => {
    database = await sqlite.create();
    store = await openTestStore(database);
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  it('is begun anew again and again, however much is stored at a stretch', async () => {
    const log = `${database.url.slice('sqlite:///'.length)}-wal`;
    let storedBytes = 0;
    for (let batch = 0; storedBytes < 60 * MEBIBYTE; batch += 1) {
      const body = memoryBody(Buffer.alloc(BODY_BYTES, batch));
      const ids = Array.from({ length: 10 }, (_, i) => `tx-${batch}-${i}`);
      await Promise.all(ids.map((id) => store.create([sampleTransaction(id, { body })], 1000)));
      storedBytes += ids.length * BODY_BYTES;
      expect((await stat(log)).size).toBeLessThan(32 * MEBIBYTE);
    }
  });
});
