/** The garbage collector takes little at a time, whatever there is, and as many routers as there are may run it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import { BODY_BLOB, type GcResult, type Store } from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

const ENDED = { kind: 'final', final: { outcome: 'delivered', text: 'upstream response success' } } as const;

describe.each(databases)('garbage collection on $name', (kind) => {
  let database: TestDatabase;
  let one: Store;

  beforeEach(async () => {
    database = await kind.create();
    one = await openTestStore(database);
    await one.openSession('http://one:8000', 1000);
  });

  afterEach(async () => {
    await one.close();
    await database.drop();
  });

  it('deletes a large message over several calls', async () => {
    const pieces = 2 * limits.gcChunks + 1;
    // Uploaded: on SQLite, other large bodies are files.
    await one.create([sampleTransaction('big', { body: { kind: 'open' }, next: ENDED })], 1000);
    const bytes = Buffer.alloc(pieces * limits.blobChunkBytes);
    await one.append('big', BODY_BLOB, { offset: 0, bytes, total: bytes.length }, 1000);
    const calls: GcResult[] = [];
    do calls.push(await one.collectGarbage(2000, 10));
    while (calls.at(-1)?.isMore);
    expect(calls).toEqual([
      { transactions: 1, blobs: 0, isMore: true },
      { transactions: 0, blobs: 0, isMore: true },
      { transactions: 0, blobs: 1, isMore: false },
    ]);
    expect(await one.load('big')).toBeUndefined();
  }, 60_000);

  it('is done by two routers at the same time, each transaction once', async () => {
    const two = await openTestStore(database);
    const ids = Array.from({ length: 120 }, (_, i) => `t${i}`);
    await one.create(
      ids.map((id) => sampleTransaction(id, { next: ENDED })),
      1000,
    );
    const total = { transactions: 0, blobs: 0 };
    const collect = async (store: Store): Promise<void> => {
      for (let calls = 0; calls < 30; calls += 1) {
        const { transactions, blobs } = await store.collectGarbage(2000, 10);
        total.transactions += transactions;
        total.blobs += blobs;
      }
    };
    await Promise.all([collect(one), collect(two)]);
    expect(total).toEqual({ transactions: 120, blobs: 120 });
    await two.close();
  });

  it('takes an upload that nobody goes on with, but none that somebody has in work', async () => {
    const body = { kind: 'open' } as const;
    await one.create(
      [
        sampleTransaction('left', { body, next: { kind: 'due', at: 1000 } }),
        sampleTransaction('ours', { body, next: { kind: 'leased' } }),
      ],
      1000,
    );
    expect(await one.collectGarbage(2000, 10)).toEqual({ transactions: 1, blobs: 1, isMore: false });
    expect(await one.load('left')).toBeUndefined();
    expect(await one.load('ours')).toBeDefined();
  });
});
