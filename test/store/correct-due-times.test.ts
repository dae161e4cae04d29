/** A wall clock that was set back: what waits, waits as long as it was to wait, not until the clock is where it was. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import type { Store } from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

const HOUR = 3_600_000;

describe.each(databases)('due times on $name', (kind) => {
  let database: TestDatabase;
  let store: Store;

  beforeEach(async () => {
    database = await kind.create();
    store = await openTestStore(database);
    await store.openSession('http://one:8000', 1000);
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  it('that were written by a clock ahead of ours keep their pause, and nothing else changes', async () => {
    const ahead = 10 * HOUR;
    const waiting = (id: string, at: number) => sampleTransaction(id, { next: { kind: 'due', at } });
    await store.create([waiting('ahead', ahead + 60_000), waiting('far-ahead', ahead + 24 * HOUR)], ahead);
    await store.create([waiting('late', ahead - 5000)], ahead);
    await store.create([waiting('ours', 5 * HOUR)], 2 * HOUR);
    const other = 2 * HOUR + limits.clockSkewMs / 2;
    await store.create([waiting('a-little-ahead', other + HOUR)], other);

    expect(await store.correctDueTimes(2 * HOUR, 2)).toBe(2);
    expect(await store.correctDueTimes(2 * HOUR, 2)).toBe(1);
    expect(await store.correctDueTimes(2 * HOUR, 2)).toBe(0);
    expect(await store.nextDueAt()).toBe(2 * HOUR);
    const due = async (now: number) => (await store.claimDue(now, 10)).map(({ record }) => record.id);
    expect(await due(2 * HOUR)).toEqual(['late']);
    expect(await due(2 * HOUR + 60_000)).toEqual(['ahead']);
    expect(await due(other + HOUR)).toEqual(['a-little-ahead']);
    expect(await due(5 * HOUR)).toEqual(['ours']);
    expect(await due(26 * HOUR)).toEqual(['far-ahead']);
  });
});
