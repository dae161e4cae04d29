/** Writes that are committed although nobody hears so: who asks again must neither be in his own way nor do twice what is done. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { type LossyStore, openLossyStore } from '../helpers/lossy-store.ts';

const OURS = 'http://one:8000';

describe.each(databases)('a store that does not hear of a commit, on $name', (kind) => {
  let database: TestDatabase;
  let lossy: LossyStore;
  const opened: LossyStore[] = [];

  const open = async (): Promise<LossyStore> => {
    const each = await openLossyStore(database);
    opened.push(each);
    return each;
  };

  beforeEach(async () => {
    database = await kind.create();
    lossy = await open();
  });

  afterEach(async () => {
    for (const { store } of opened.splice(0)) await store.close();
    await database.drop();
  });

  const lost = async (asked: Promise<unknown>): Promise<void> => {
    await expect(asked).rejects.toThrow('the answer was lost');
  };

  it('does not yield its address to the session that it has opened itself', async () => {
    const { store, loseAnswerTo } = lossy;
    for (const now of [1000, 2000]) {
      loseAnswerTo('openSession');
      await lost(store.openSession(OURS, now, { yields: true }));
      expect(store.sessionId).toBeUndefined();
    }
    expect(await store.openSession(OURS, 3000, { yields: true })).toBe(true);
    expect(await store.sessions()).toMatchObject([{ id: store.sessionId, uri: OURS }]);
    expect(await store.refreshSession(4000)).toBe(true);
  });

  it('yields its address to the session that another process has opened meanwhile', async () => {
    const other = await open();
    lossy.loseAnswerTo('openSession');
    await lost(lossy.store.openSession(OURS, 1000, { yields: true }));
    await other.store.openSession(OURS, 1500);
    expect(await lossy.store.openSession(OURS, 2000, { yields: true })).toBe(false);
    expect(await other.store.refreshSession(2000)).toBe(true);
    await other.store.closeSession();
    expect(await lossy.store.openSession(OURS, 3000, { yields: true })).toBe(true);
  });
});
