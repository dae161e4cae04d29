import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConflictError } from '../../src/lib/core/errors.ts';
import { limits } from '../../src/lib/core/limits.ts';
import { GroupCommit } from '../../src/lib/store/group-commit.ts';
import type { Operation } from '../../src/lib/store/sql/index.ts';
import { type Store, StoreUnavailableError } from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { FakeClock, settle } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

const ENDED = { kind: 'final', final: { outcome: 'delivered', text: 'upstream response success' } } as const;

describe.each(databases)('group commit on $name', (kind) => {
  let database: TestDatabase;
  let store: Store;
  const clock = new FakeClock(1000);
  const log = memoryLog();

  beforeEach(async () => {
    database = await kind.create();
    store = await openTestStore(database, { clock, log });
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  it('commits hundreds of concurrent creates in a few commits', async () => {
    const before = store.stats;
    await Promise.all(Array.from({ length: 300 }, (_, i) => store.create([sampleTransaction(`t${i}`)], 1000)));
    const { commits, promises } = store.stats;
    expect(promises - before.promises).toBe(300);
    expect(commits - before.commits).toBeLessThanOrEqual(10);
    expect(await store.load('t299')).toBeDefined();
  });

  it('spends one commit on a lone create, and none on a claim that finds nothing', async () => {
    await store.openSession('http://one:8000', 1000);
    const before = store.stats.commits;
    await store.create([sampleTransaction('tx')], 1000);
    expect(store.stats.commits - before).toBe(1);
    await store.claimDue(0, 10);
    expect(store.stats.commits - before).toBe(1);
  });

  it('lets an operation that fails leave its neighbours in the same commit alone', async () => {
    await store.create([sampleTransaction('taken')], 1000);
    const names = ['a', 'taken', 'b', 'taken', 'c'];
    const results = await Promise.allSettled(names.map((id) => store.create([sampleTransaction(id)], 1000)));
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect((results[1] as PromiseRejectedResult).reason).toBeInstanceOf(ConflictError);
    for (const id of ['a', 'b', 'c']) expect(await store.load(id)).toBeDefined();
  });

  it('writes history behind: nobody waits, and it joins the next commit', async () => {
    const before = store.stats;
    store.recordHistory(sampleTransaction('past', { next: ENDED }), 1000);
    await settle();
    expect(await store.load('past')).toBeUndefined();
    await store.create([sampleTransaction('now')], 1000);
    expect(await store.load('past')).toMatchObject({ final: ENDED.final });
    expect(store.stats.commits - before.commits).toBe(1);
    expect(store.stats.promises - before.promises).toBe(1);
  });

  it('gives history a commit of its own after a pause, or when it is flushed', async () => {
    store.recordHistory(sampleTransaction('paused', { next: ENDED }), 1000);
    await settle();
    expect(store.stats.commits).toBe(0);
    await clock.advance(limits.storeHistoryPauseMs);
    await store.flush();
    expect(await store.load('paused')).toBeDefined();
    store.recordHistory(sampleTransaction('flushed', { next: ENDED }), 1000);
    await store.flush();
    expect(await store.load('flushed')).toBeDefined();
  });

  it('writes what is left when it is closed, and then takes nothing more', async () => {
    store.recordHistory(sampleTransaction('last', { next: ENDED }), 1000);
    const created = store.create([sampleTransaction('also')], 1000);
    await store.close();
    await created;
    await expect(store.create([sampleTransaction('late')], 1000)).rejects.toBeInstanceOf(StoreUnavailableError);
    store = await openTestStore(database);
    expect(await store.load('last')).toBeDefined();
    expect(await store.load('also')).toBeDefined();
    expect(await store.load('late')).toBeUndefined();
  });
});

/** A commit that takes as long as the test wants; `sizes` are those of the batches. */
function heldCommit() {
  const clock = new FakeClock(1000);
  const sizes: number[] = [];
  let unblock = (): void => undefined;
  const blocked = new Promise<void>((resolve) => {
    unblock = resolve;
  });
  const group = new GroupCommit(async (operations: readonly Operation[]) => {
    sizes.push(operations.length);
    await blocked;
    return { results: operations.map(() => ({ kind: 'done' as const, value: true })), changed: true };
  }, clock);
  return { group, clock, sizes, unblock };
}

describe('the queue of a group commit', () => {
  it('is bounded: beyond its limit a write is refused at once', async () => {
    const { group, sizes, unblock } = heldCommit();
    const write = () => group.write('refreshSession', { sessionId: 1, uri: 'http://one:8000', now: 1 });
    const first = write();
    await settle(1);
    const waiting = Array.from({ length: limits.storeQueueOperations }, write);
    await expect(write()).rejects.toThrow('too many writes are waiting');
    unblock();
    await Promise.all([first, ...waiting]);
    expect(Math.max(...sizes)).toBe(limits.storeBatchOperations);
    expect(group.stats.commits).toBe(sizes.length);
  });

  it('refuses more bytes than it may hold, and cuts batches by bytes', async () => {
    const { group, sizes, unblock } = heldCommit();
    const write = (sizeBytes: number) =>
      group.write('refreshSession', { sessionId: 1, uri: 'http://one:8000', now: 1 }, sizeBytes);
    const half = limits.storeBatchBytes / 2;
    const writes = Array.from({ length: 4 }, () => write(half));
    await expect(write(limits.storeQueueBytes)).rejects.toBeInstanceOf(StoreUnavailableError);
    unblock();
    await Promise.all(writes);
    expect(sizes).toEqual([2, 2]);
  });

  it('tells everybody in a failed batch, and tries the next one afresh', async () => {
    let isBroken = true;
    const group = new GroupCommit(async (operations: readonly Operation[]) => {
      if (isBroken) throw new StoreUnavailableError('disk full');
      return { results: operations.map(() => ({ kind: 'done' as const, value: true })), changed: true };
    }, new FakeClock(1000));
    const write = () => group.write('refreshSession', { sessionId: 1, uri: 'http://one:8000', now: 1 });
    const results = await Promise.allSettled([write(), write()]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    isBroken = false;
    expect(await write()).toBe(true);
    expect(group.stats.commits).toBe(1);
  });
});

describe('a database that stands still', () => {
  const writeTo = (group: GroupCommit) => () =>
    group.write('refreshSession', { sessionId: 1, uri: 'http://one:8000', now: 1 });
  const next = (group: GroupCommit) =>
    group.writeNext('refreshSession', { sessionId: 1, uri: 'http://one:8000', now: 1 });

  it('is slow for a while, and everybody waits', async () => {
    const { group, clock, unblock } = heldCommit();
    const write = writeTo(group);
    const first = write();
    await settle();
    const second = write();
    await clock.advance(limits.storeStandstillMs - 1);
    expect(group.stats).toMatchObject({ isFailing: false, waiting: 1 });
    unblock();
    expect(await Promise.all([first, second])).toEqual([true, true]);
    await clock.advance(limits.storeStandstillMs);
    expect(group.stats.isFailing).toBe(false);
  });

  it('is failing after that: who has not begun is refused, also who comes then, at once', async () => {
    const { group, clock, sizes } = heldCommit();
    const write = writeTo(group);
    void write();
    await settle();
    const waiting = [write(), next(group)].map((each) => expect(each).rejects.toThrow(/has not answered for 10 s/));
    await clock.advance(limits.storeStandstillMs);
    await Promise.all(waiting);
    expect(group.stats).toMatchObject({ isFailing: true, waiting: 0, waitingBytes: 0 });
    await expect(write()).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(next(group)).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(sizes).toEqual([1]);
  });

  it('leaves what is in flight undecided until it answers; then that is told, and all goes on', async () => {
    const { group, clock, unblock } = heldCommit();
    const write = writeTo(group);
    const told: unknown[] = [];
    const first = write().then((value) => told.push(value));
    await clock.advance(10 * limits.storeStandstillMs);
    expect(told).toEqual([]);
    unblock();
    await first;
    expect(told).toEqual([true]);
    expect(group.stats.isFailing).toBe(false);
    expect(await write()).toBe(true);
    expect(group.stats.commits).toBe(2);
  });

  it('may answer that it has failed, and is told so, and is tried again', async () => {
    const clock = new FakeClock(1000);
    let answer: (error: Error) => void = () => undefined;
    let calls = 0;
    const group = new GroupCommit(async (operations: readonly Operation[]) => {
      calls += 1;
      if (calls === 1) await new Promise((_resolve, reject) => (answer = reject));
      return { results: operations.map(() => ({ kind: 'done' as const, value: true })), changed: true };
    }, clock);
    const write = writeTo(group);
    const first = expect(write()).rejects.toThrow('input/output error');
    await clock.advance(limits.storeStandstillMs);
    answer(new StoreUnavailableError('input/output error'));
    await first;
    expect(group.stats.isFailing).toBe(true);
    expect(await write()).toBe(true);
    expect(group.stats.isFailing).toBe(false);
  });
});
