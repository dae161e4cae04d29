/** The delivery journal in the store: marks, what becomes of a transaction that is uncertain, and who may decide. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import type { Store } from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

const STARTED = { number: 1, startedAt: 900, replies: { rcpt: [] } };
const REPLIES = { mail: reply(250, '2.1.0', 'ok'), rcpt: [reply(250, '2.1.5', 'ok')] };
const HOSTS = [{ host: '192.0.2.1', port: 25 }];

describe.for(databases)('the delivery journal on $name', ({ create }) => {
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

  const leased = (id: string) => sampleTransaction(id, { attempts: [STARTED], next: { kind: 'leased' } });
  const mark = (id: string) => ({ id, attempt: 1, at: 1100, hosts: HOSTS, replies: REPLIES });
  const marked = { ...STARTED, dotSentAt: 1100, hosts: HOSTS, replies: REPLIES };

  it('keeps that the end of a message goes out, with where to and what was answered before', async () => {
    await store.create([leased('a')], 1000);
    expect(await store.markDotSent(mark('a'))).toBe(true);
    expect((await store.load('a'))?.attempts).toEqual([marked]);
  });

  it('refuses the mark of whom the transaction does not belong to any more', async () => {
    await store.create([leased('a'), sampleTransaction('waiting', { next: { kind: 'due', at: 9000 } })], 1000);
    await store.closeSession();
    await store.openSession('http://two', 1000);
    expect(await store.markDotSent(mark('a'))).toBe(false);
    expect(await store.markDotSent(mark('waiting'))).toBe(false);
    expect(await store.markDotSent(mark('unknown'))).toBe(false);
    expect((await store.load('a'))?.attempts).toEqual([STARTED]);
  });

  it('writes a mark that nobody waits for with the next commit', async () => {
    await store.create([leased('a')], 1000);
    const before = store.stats.commits;
    store.noteDotSent(mark('a'));
    await store.create([leased('b')], 1000);
    expect((await store.load('a'))?.attempts).toEqual([marked]);
    expect(store.stats.commits).toBe(before + 1);
  });

  it('writes no mark that nobody waits for of what has an outcome before the next commit', async () => {
    await store.create([leased('a'), leased('b')], 1000);
    for (const id of ['a', 'b']) store.noteDotSent(mark(id));
    const attempt = { ...STARTED, endedAt: 1200 };
    const final = { outcome: 'delivered', text: 'ok' } as const;
    const next = { kind: 'final', final } as const;
    await store.recordOutcome({ id: 'a', attempt, filterOutput: {}, next, spawn: [], version: 3 }, 1200);
    expect((await store.load('a'))?.attempts).toEqual([attempt]);
    expect((await store.load('b'))?.attempts).toEqual([marked]);
  });

  it('writes a mark that nobody waits for before the transaction is given back', async () => {
    await store.create([leased('a')], 1000);
    store.noteDotSent(mark('a'));
    const [lease] = await store.leases(false);
    if (lease !== undefined) await store.releaseLeases([lease], 1500, false);
    const [claimed] = await store.claimDue(2000, 10);
    expect(claimed?.attempts[0]).toEqual(marked);
  });

  it('shows a mark to whoever takes the transaction over', async () => {
    await store.create([leased('a')], 1000);
    await store.markDotSent(mark('a'));
    await store.closeSession();
    await store.openSession('http://two', 1000);
    const [claimed] = await store.claimDue(2000, 10);
    expect(claimed?.attempts).toEqual([marked, { number: 2, startedAt: 2000, replies: { rcpt: [] } }]);
  });

  async function makeUncertain(id: string): Promise<void> {
    await store.create([leased(id)], 1000);
    await store.markDotSent(mark(id));
    await store.closeSession();
    await store.openSession('http://two', 1000);
    await store.claimDue(2000, 10);
    const attempt = { ...marked, endedAt: 2000 };
    const next = { kind: 'uncertain' } as const;
    await store.recordOutcome({ id, attempt, filterOutput: {}, next, spawn: [], version: 0 }, 2000);
  }

  it('keeps what is uncertain for as long as nobody decides, without the attempt that found it so', async () => {
    await makeUncertain('a');
    const stored = await store.load('a');
    expect(stored).toMatchObject({ uncertain: true, attempts: [{ ...marked, endedAt: 2000 }] });
    expect([stored?.attempts.length, stored?.lease, stored?.nextAttemptAt, stored?.final]).toEqual([
      1,
      undefined,
      undefined,
      undefined,
    ]);
    expect(await store.claimDue(1e12, 10)).toEqual([]);
    expect(await store.nextDueAt()).toBeUndefined();
    expect(await store.collectGarbage(1e12, 10)).toMatchObject({ transactions: 0 });
  });

  it('has it sent again when somebody says so', async () => {
    await makeUncertain('a');
    expect(await store.makeDue('a', 3000)).toBe('due');
    expect(await store.load('a')).toMatchObject({ uncertain: false, nextAttemptAt: 3000 });
    expect(await store.claimDue(3000, 10)).toHaveLength(1);
  });

  it('ends it when somebody cancels it', async () => {
    await makeUncertain('a');
    await store.cancel('a', 3000);
    expect(await store.load('a')).toMatchObject({ uncertain: false, final: { outcome: 'cancelled' } });
    expect(await store.makeDue('a', 4000)).toBe('final');
  });
});
