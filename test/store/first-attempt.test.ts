/** The first attempt of a transaction, wherever it is written: what is read of it at each point of a life, and which number the next one has. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import type { NextStep, Outcome, Store } from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

const FIRST = { number: 1, startedAt: 900, replies: { mail: reply(250, '2.1.0', 'ok'), rcpt: [] } };
const HOSTS = [{ host: '192.0.2.1', port: 25 }];
const ENDED = { ...FIRST, endedAt: 1200, replies: { rcpt: [reply(450, '4.2.0', 'later')] }, hosts: HOSTS };
const DELIVERED: NextStep = { kind: 'final', final: { outcome: 'delivered', text: 'ok' } };

describe.for(databases)('the first attempt on $name', ({ create }) => {
  let database: TestDatabase;
  let store: Store;
  beforeEach(async () => {
    database = await create();
    store = await openTestStore(database);
    await store.openSession('http://one', 1000);
  });
  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  const createLeased = (): Promise<void> =>
    store.create([sampleTransaction('a', { attempts: [FIRST], next: { kind: 'leased' } })], 1000);
  const attempts = async () => (await store.load('a'))?.attempts;
  const outcome = (attempt: Outcome['attempt'], next: Outcome['next']): Outcome => ({
    id: 'a',
    attempt,
    filterOutput: {},
    next,
    spawn: [],
    version: 2,
  });

  it('is read as it was begun, and as it ended', async () => {
    await createLeased();
    expect(await attempts()).toEqual([FIRST]);
    await store.recordOutcome(outcome(ENDED, { kind: 'due', at: 2000 }), 1200);
    expect(await attempts()).toEqual([ENDED]);
    const page = await store.list({ filter: {}, limit: 5 });
    expect(page.transactions.map((tx) => tx.attempts)).toEqual([[ENDED]]);
  });

  it('is followed by the second, which a list then shows', async () => {
    await createLeased();
    await store.recordOutcome(outcome(ENDED, { kind: 'due', at: 2000 }), 1200);
    await store.claimDue(2000, 1);
    const second = { number: 2, startedAt: 2000, endedAt: 2100, replies: { rcpt: [] } };
    expect(await attempts()).toEqual([ENDED, { number: 2, startedAt: 2000, replies: { rcpt: [] } }]);
    await store.recordOutcome(outcome(second, DELIVERED), 2100);
    expect(await attempts()).toEqual([ENDED, second]);
    const page = await store.list({ filter: {}, limit: 5 });
    expect(page.transactions.map((tx) => tx.attempts)).toEqual([[second]]);
  });

  it('counts although it never ended, when its router has died', async () => {
    await createLeased();
    await store.markDotSent({ id: 'a', attempt: 1, at: 1100, hosts: HOSTS, replies: FIRST.replies });
    await store.openSession('http://one', 2000);
    const [claimed] = await store.claimDue(2000, 1);
    const marked = { ...FIRST, hosts: HOSTS, dotSentAt: 1100 };
    expect(claimed?.attempts).toEqual([marked, { number: 2, startedAt: 2000, replies: { rcpt: [] } }]);
    // In doubt is the first: it ends, and the second, which sent nothing, was none.
    await store.recordOutcome(outcome({ ...marked, endedAt: 2100 }, { kind: 'uncertain' }), 2100);
    expect(await attempts()).toEqual([{ ...marked, endedAt: 2100 }]);
  });

  it('is not another’s to end', async () => {
    await createLeased();
    await store.openSession('http://one', 2000);
    await expect(store.recordOutcome(outcome(ENDED, DELIVERED), 2000)).rejects.toThrow('not leased');
    expect(await attempts()).toEqual([FIRST]);
  });

  it('does not count when nobody makes it, and then the next one is the first', async () => {
    await createLeased();
    expect(await store.releaseLeases(await store.leases(false), 2000, true)).toBe(1);
    expect(await attempts()).toEqual([]);
    await store.claimDue(2000, 1);
    expect(await attempts()).toEqual([{ number: 1, startedAt: 2000, replies: { rcpt: [] } }]);
    await store.recordOutcome(outcome({ ...ENDED, startedAt: 2000 }, DELIVERED), 2100);
    expect(await attempts()).toEqual([{ ...ENDED, startedAt: 2000 }]);
  });

  it('stays when the second is dropped', async () => {
    await createLeased();
    await store.recordOutcome(outcome(ENDED, { kind: 'due', at: 2000 }), 1200);
    await store.claimDue(2000, 1);
    expect(await store.releaseLeases(await store.leases(false), 3000, true)).toBe(1);
    expect(await attempts()).toEqual([ENDED]);
  });

  it('stays, unended, when the second is dropped', async () => {
    await createLeased();
    await store.openSession('http://one', 2000);
    await store.claimDue(2000, 1);
    expect(await store.releaseLeases(await store.leases(false), 3000, true)).toBe(1);
    expect(await attempts()).toEqual([FIRST]);
  });
});
