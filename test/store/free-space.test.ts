import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import { limits } from '../../src/lib/core/limits.ts';
import { reply } from '../../src/lib/core/response.ts';
import { systemClock } from '../../src/lib/ops/clock.ts';
import { freeBytesAt } from '../../src/lib/store/free-space.ts';
import { openStore } from '../../src/lib/store/open.ts';
import { BODY_BLOB, type Store, StoreUnavailableError } from '../../src/lib/store/store.ts';
import { sqlite, type TestDatabase } from '../helpers/databases.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';
import { sampleRecord, sampleTransaction } from '../helpers/sample-transactions.ts';

const MEBIBYTE = 1024 * 1024;
const FLOOR = limits.storeFreeBytes;

describe('a SQLite store whose disk is nearly full', () => {
  let database: TestDatabase;
  let store: Store;
  let clock: FakeClock;
  let log: ReturnType<typeof memoryLog>;
  /** What the file system says. */
  let free: number | undefined;
  let looks: number;

  beforeEach(async () => {
    database = await sqlite.create();
    [clock, log, looks, free] = [new FakeClock(1000), memoryLog(), 0, 1000 * MEBIBYTE];
    const freeOnDisk = (): Promise<number | undefined> => {
      looks += 1;
      return Promise.resolve(free);
    };
    store = await openStore({ url: database.url, clock, waits: systemClock, log, autoMigrate: true, freeOnDisk });
    await store.openSession('http://router', 1000);
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  const create = (id: string, sizeBytes = 100): Promise<void> =>
    store.create([sampleTransaction(id, { body: memoryBody(Buffer.alloc(sizeBytes, 'x')) })], clock.now());
  const isRefused = async (id: string, sizeBytes?: number): Promise<boolean> => {
    try {
      await create(id, sizeBytes);
      return false;
    } catch (error) {
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(error).toMatchObject({ isFull: true, isInDoubt: false });
      return true;
    }
  };
  /** The next look finds so much. */
  const becomes = async (bytes: number | undefined): Promise<void> => {
    free = bytes;
    await clock.advance(limits.storeFreeLookMs);
    // Who comes now causes the look, and may still be judged by the last one.
    await isRefused(`looks-${looks}`);
    await clock.rest();
  };
  const lines = (): readonly string[] =>
    log.lines.map(({ text }) => text).filter((text) => text.includes('the disk of'));

  it('refuses new messages for now, says so once, and takes them again by itself when there is room', async () => {
    expect(await isRefused('before')).toBe(false);
    await becomes(FLOOR - 1);
    expect([await isRefused('a'), await isRefused('b')]).toEqual([true, true]);
    expect(store.stats.isFailing).toBe(true);
    free = FLOOR + 2 * MEBIBYTE;
    await clock.advance(10 * limits.storeFreeLookMs);
    expect(await isRefused('only a little more')).toBe(true);
    free = 2 * FLOOR;
    await clock.advance(limits.storeFreeLookMs);
    expect(store.stats.isFailing).toBe(false);
    expect(await isRefused('after')).toBe(false);
    expect(lines()).toEqual([
      'the disk of the store is nearly full, new messages are refused',
      'the disk of the store has room again, new messages are taken',
    ]);
  });

  it('refuses what is uploaded to a message, which can be continued later', async () => {
    await store.create([sampleTransaction('open', { body: { kind: 'open' } })], 1000);
    await becomes(0);
    const piece = { offset: 0, bytes: Buffer.from('a: b\r\n\r\n'), total: 8 };
    await expect(store.append('open', BODY_BLOB, piece, 1000)).rejects.toMatchObject({ isFull: true });
    await becomes(2 * FLOOR);
    expect(await store.append('open', BODY_BLOB, piece, 1000)).toMatchObject({ kind: 'stored', inputDone: true });
  });

  it('goes on with what it has: claims, the journal, outcomes, cancels, history, collection', async () => {
    await Promise.all(['one', 'two'].map((id) => create(id)));
    await becomes(0);
    await store.cancel('two', clock.now());
    const [claimed] = await store.claimDue(clock.now(), 1);
    const id = claimed?.record.id as string;
    const at = clock.now();
    expect(await store.markDotSent({ id, attempt: 1, at, hosts: [], replies: { rcpt: [] } })).toBe(true);
    await store.recordOutcome(
      {
        id,
        attempt: { number: 1, startedAt: at, endedAt: at, replies: { rcpt: [], data: reply(250, '2.0.0', 'ok') } },
        filterOutput: {},
        next: { kind: 'final', final: { outcome: 'delivered', text: 'upstream response success' } },
        spawn: [sampleTransaction('report')],
        version: 1,
      },
      at,
    );
    expect(await store.load('report')).toBeDefined();
    const final = { outcome: 'delivered', text: 'upstream response success' } as const;
    store.recordHistory({ record: sampleRecord('passed'), attempts: [], next: { kind: 'final', final } }, at);
    await store.flush();
    expect(await store.load('passed')).toBeDefined();
    await store.collectGarbage(clock.now() + 1, 100);
    expect(await store.load(id)).toBeUndefined();
  });

  it('keeps room that a large message would take for small ones', async () => {
    await becomes(FLOOR + MEBIBYTE);
    expect(await isRefused('large', 2 * MEBIBYTE)).toBe(true);
    expect(await isRefused('small')).toBe(false);
    expect(lines()).toEqual([]);
  });

  it('has room for small messages where others were collected, and none for large ones, which are files', async () => {
    const final = { kind: 'final', final: { outcome: 'delivered', text: 'upstream response success' } } as const;
    const body = Buffer.alloc(200_000, 'x');
    const ended = Array.from({ length: Math.ceil((1.2 * FLOOR) / body.length) }, (_, i) =>
      sampleTransaction(`ended-${i}`, { body: memoryBody(body), next: final }),
    );
    for (const each of ended) await store.create([each], 1000);
    await becomes(0);
    expect(await isRefused('nothing is collected')).toBe(true);
    while ((await store.collectGarbage(clock.now() + 1, 100)).isMore);
    await clock.advance(limits.storeFreeLookMs);
    expect(await isRefused('small')).toBe(false);
    expect(await isRefused('large', 300_000)).toBe(true);
  });

  it('takes no more between two looks than there was room for', async () => {
    await becomes(FLOOR + MEBIBYTE);
    const ids = Array.from({ length: 100 }, (_, i) => `tx-${i}`);
    const refused = await Promise.all(ids.map((id) => isRefused(id, 100_000)));
    const taken = refused.filter((each) => !each).length;
    expect(taken).toBeGreaterThan(0);
    expect(taken * 100_000).toBeLessThan(MEBIBYTE);
  });

  it('is looked at now and then, not for every message, and not while nothing comes', async () => {
    const before = looks;
    await Promise.all(Array.from({ length: 50 }, (_, i) => create(`tx-${i}`)));
    expect(looks).toBe(before);
    await clock.advance(limits.storeFreeLookMs);
    await Promise.all(Array.from({ length: 50 }, (_, i) => create(`more-${i}`)));
    expect(looks).toBe(before + 1);
    await clock.advance(10 * limits.storeFreeLookMs);
    expect(looks).toBe(before + 1);
  });

  it('is never taken for full when its file system cannot be asked', async () => {
    await becomes(undefined);
    expect(await isRefused('asked in vain')).toBe(false);
  });
});

it('the room of a disk is what its file system says, and unknown where nobody can be asked', async () => {
  expect(await freeBytesAt(['/', '/no/such/folder'])).toBeGreaterThan(0);
  expect(await freeBytesAt(['/no/such/folder'])).toBeUndefined();
  // It has no size.
  expect(await freeBytesAt(['/proc'])).toBeUndefined();
});
