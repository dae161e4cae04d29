import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LeaseLostError } from '../../src/lib/core/errors.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { AttemptRecord, Outcome, SessionSign, Store } from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

const LEASED = { kind: 'leased' } as const;

function deliveredBy(id: string, number: number): Outcome {
  const attempt: AttemptRecord = { number, startedAt: 1000, endedAt: 1500, replies: { rcpt: [] } };
  const final = { outcome: 'delivered', text: 'upstream response success' } as const;
  return { id, attempt, filterOutput: {}, next: { kind: 'final', final }, spawn: [], version: 0 };
}

// Two stores on one database are two replicas; on SQLite they stand for a process that was killed and its successor.
describe.each(databases)('leases on $name', (kind) => {
  let database: TestDatabase;
  let one: Store;
  let two: Store;

  beforeEach(async () => {
    database = await kind.create();
    one = await openTestStore(database);
    two = await openTestStore(database);
    await one.openSession('http://one:8000', 1000);
    await two.openSession('http://two:8000', 1000);
  });

  afterEach(async () => {
    await one.close();
    await two.close();
    await database.drop();
  });

  /** As the others see it. */
  const sessionsOf = async (store: Store): Promise<readonly SessionSign[]> =>
    (await two.sessions()).filter(({ id }) => id === store.sessionId);

  const ids = (claimed: readonly { readonly record: { readonly id: string } }[]): string[] =>
    claimed.map((tx) => tx.record.id);

  it('gives no lease before a session is open, and none after it was closed', async () => {
    const three = await openTestStore(database);
    const create = (id: string) => three.create([sampleTransaction(id, { next: LEASED })], 1000);
    await expect(create('early')).rejects.toThrow(LeaseLostError);
    await three.openSession('http://three:8000', 1000);
    await create('ours');
    await three.closeSession();
    await expect(create('late')).rejects.toThrow(LeaseLostError);
    await three.close();
  });

  it('claims what is due for those who are not passed over, the earliest first', async () => {
    const due = (id: string, to: string | undefined, from: { readonly sender: string; readonly tag?: string }) => {
      const record = { ...from, rcptTo: to === undefined ? [] : [mailbox(to)] };
      return sampleTransaction(id, { next: { kind: 'due', at: 1500 }, record });
    };
    await one.create(
      [
        due('flood', 'a@silent.example', { sender: 'app' }),
        due('app-elsewhere', 'a@far.example', { sender: 'app' }),
        due('tagged', 'a@far.example', { sender: 'app', tag: 'bulk' }),
        due('other', 'b@silent.example', { sender: 'other' }),
        due('nobody', undefined, { sender: 'other' }),
      ],
      1000,
    );
    const claim = async (shares: readonly string[], lanes: readonly string[]) =>
      [...ids(await two.claimDue(2000, 10, { shares, lanes }))].sort();
    expect(await claim(['app', 'other'], [])).toEqual(['tagged']);
    expect(await claim(['other'], ['app silent.example'])).toEqual(['app-elsewhere']);
    expect(await claim(['app'], ['other silent.example'])).toEqual(['nobody']);
    expect(await claim(['app'], [])).toEqual(['other']);
    expect(await claim([], [])).toEqual(['flood']);
  });

  it('claims what is due, the earliest first, and starts its next attempt', async () => {
    const attempts = [{ number: 1, startedAt: 900, endedAt: 950, replies: { rcpt: [] } }];
    await one.create(
      [
        sampleTransaction('late', { next: { kind: 'due', at: 3000 } }),
        sampleTransaction('second', { next: { kind: 'due', at: 2000 }, attempts }),
        sampleTransaction('first', { next: { kind: 'due', at: 1500 } }),
      ],
      1000,
    );
    expect(await two.nextDueAt()).toBe(1500);
    const claimed = await two.claimDue(2000, 10);
    expect(ids(claimed)).toEqual(['first', 'second']);
    expect(claimed[0]).toEqual(await one.load('first'));
    expect(claimed[1]).toMatchObject({
      lease: { uri: 'http://two:8000', sessionId: two.sessionId },
      attempts: [attempts[0], { number: 2, startedAt: 2000, replies: { rcpt: [] } }],
      version: 2,
    });
    expect(claimed[1]?.nextAttemptAt).toBeUndefined();
    expect(await one.claimDue(2000, 10)).toEqual([]);
    expect(await one.nextDueAt()).toBe(3000);
  });

  it('never claims more than it is asked for', async () => {
    await one.create(
      Array.from({ length: 5 }, (_, i) => sampleTransaction(`t${i}`)),
      1000,
    );
    expect(await one.claimDue(1000, 2)).toHaveLength(2);
    expect(await one.claimDue(999, 10)).toEqual([]);
  });

  it('never hands one transaction to two replicas that claim at the same time', async () => {
    const all = Array.from({ length: 60 }, (_, i) => `t${i}`);
    await one.create(
      all.map((id) => sampleTransaction(id)),
      1000,
    );
    const claims = Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? one : two).claimDue(1000, 3));
    const claimed = (await Promise.all(claims)).flatMap(ids);
    // A claim may pass over rows the other one is looking at; those stay due.
    for (let rest = await one.claimDue(1000, 100); rest.length > 0; rest = await one.claimDue(1000, 100)) {
      claimed.push(...ids(rest));
    }
    expect(claimed.sort()).toEqual(all.sort());
  });

  it('lets others take over what a dead replica had in work, and refuses its late outcome', async () => {
    await one.create([sampleTransaction('tx', { next: LEASED, attempts: [deliveredBy('tx', 1).attempt] })], 1000);
    expect(await two.expireSessions(await sessionsOf(one))).toBe(1);
    expect(ids(await two.claimDue(5000, 10))).toEqual(['tx']);
    expect(await one.refreshSession(5000)).toBe(false);
    await expect(one.recordOutcome(deliveredBy('tx', 1), 5000)).rejects.toBeInstanceOf(LeaseLostError);
    await two.recordOutcome(deliveredBy('tx', 2), 5000);
    expect(await one.load('tx')).toMatchObject({ final: { outcome: 'delivered' }, attempts: [{}, { number: 2 }] });
  });

  it('spares a replica that has given a sign of life since it was looked at', async () => {
    await one.create([sampleTransaction('tx', { next: LEASED })], 1000);
    const seen = await sessionsOf(one);
    expect(seen).toEqual([{ id: one.sessionId, uri: 'http://one:8000', ttlMs: 90_000, sign: 1000 }]);
    expect(await one.refreshSession(1000)).toBe(true);
    // The clock of the other one stands still, or was set back: it is a sign all the same.
    expect(await one.refreshSession(400)).toBe(true);
    expect(await sessionsOf(one)).toMatchObject([{ sign: 1002 }]);
    expect(await two.expireSessions(seen)).toBe(0);
    expect(await two.load('tx')).toMatchObject({ lease: { uri: 'http://one:8000' } });
    expect(await two.expireSessions(await sessionsOf(one))).toBe(1);
    expect(await sessionsOf(one)).toEqual([]);
  });

  it('tells each session how long the others will wait for it', async () => {
    const three = await openTestStore(database);
    await three.openSession('http://three:8000', 1000, { ttlMs: 10_000 });
    expect(await two.sessions()).toMatchObject([{ ttlMs: 90_000 }, { ttlMs: 90_000 }, { ttlMs: 10_000 }]);
    await three.close();
  });

  it('leaves an address to who has it, when asked to yield', async () => {
    const late = await openTestStore(database);
    expect(await late.openSession('http://one:8000', 1000, { yields: true })).toBe(false);
    expect(late.sessionId).toBeUndefined();
    expect(await late.refreshSession(1000)).toBe(false);
    expect(await one.refreshSession(1000)).toBe(true);
    expect(await late.openSession('http://free:8000', 1000, { yields: true })).toBe(true);
    await late.close();
  });

  it('lists what a session has leased, and lets go of it unless it has changed since', async () => {
    await one.create(
      ['a', 'b', 'c'].map((id) => sampleTransaction(id, { next: LEASED })),
      1000,
    );
    await two.cancel('b', 1000);
    const leases = await one.leases(false);
    expect(leases.map(({ txId, cancelled }) => [txId, cancelled]).sort()).toEqual([
      ['a', false],
      ['b', true],
      ['c', false],
    ]);
    expect((await one.leases(true)).map(({ txId }) => txId)).toEqual(['b']);
    expect(await two.leases(false)).toEqual([]);
    await one.recordOutcome({ ...deliveredBy('c', 1), next: { kind: 'due', at: 9000 } }, 1000);
    expect(await one.releaseLeases(leases, 2000, false)).toBe(2);
    expect(await one.load('b')).toMatchObject({ final: { outcome: 'cancelled' } });
    expect(ids(await two.claimDue(5000, 10))).toEqual(['a']);
    expect(await one.leases(false)).toEqual([]);
  });

  it('forgets the attempt of a claim that is given back', async () => {
    const attempts = [{ number: 1, startedAt: 900, endedAt: 950, replies: { rcpt: [] } }];
    await one.create([sampleTransaction('tx', { attempts })], 1000);
    await one.claimDue(1000, 1);
    expect(await one.releaseLeases(await one.leases(false), 2000, true)).toBe(1);
    expect(await one.load('tx')).toMatchObject({ attempts, nextAttemptAt: 2000 });
  });

  it('keeps the attempt of a claim that is given back when it has sent its message', async () => {
    const attempt = { startedAt: 900, replies: { rcpt: [] }, dotSentAt: 950 };
    const begun = { next: LEASED, attempts: [{ number: 1, ...attempt }] };
    const ended = { number: 1, startedAt: 800, endedAt: 850, replies: { rcpt: [] } };
    await one.create([sampleTransaction('first', begun)], 1000);
    await one.create([sampleTransaction('second', { ...begun, attempts: [ended, { number: 2, ...attempt }] })], 1000);
    expect(await one.releaseLeases(await one.leases(false), 2000, true)).toBe(2);
    expect(await one.load('first')).toMatchObject({ attempts: [{ number: 1, dotSentAt: 950 }] });
    expect(await one.load('second')).toMatchObject({ attempts: [ended, { number: 2, dotSentAt: 950 }] });
  });

  it('keeps what a dead replica began when a later claim is given back', async () => {
    await one.create(
      [sampleTransaction('tx', { next: LEASED, attempts: [{ number: 1, startedAt: 900, replies: { rcpt: [] } }] })],
      1000,
    );
    await two.expireSessions(await sessionsOf(one));
    await two.claimDue(5000, 1);
    await two.recordOutcome({ ...deliveredBy('tx', 2), next: { kind: 'due', at: 6000 } }, 5500);
    await two.claimDue(6000, 1);
    await two.releaseLeases(await two.leases(false), 7000, true);
    const [tx] = await two.claimDue(7000, 1);
    expect(tx?.attempts.map(({ number, endedAt }) => [number, endedAt])).toEqual([
      [1, undefined],
      [2, 1500],
      [3, undefined],
    ]);
  });

  it('gives a replica that was declared dead nothing to do until it opens a session again', async () => {
    await two.expireSessions(await sessionsOf(one));
    await two.create([sampleTransaction('due')], 5000);
    expect(await one.claimDue(5000, 10)).toEqual([]);
    await expect(one.create([sampleTransaction('mine', { next: LEASED })], 5000)).rejects.toBeInstanceOf(
      LeaseLostError,
    );
    expect(await one.load('mine')).toBeUndefined();
    await one.openSession('http://one:8000', 5000);
    expect(ids(await one.claimDue(5000, 10))).toEqual(['due']);
  });

  it('releases everything when a session closes, and ends what was cancelled meanwhile', async () => {
    await one.create(
      [
        sampleTransaction('a', { next: LEASED }),
        sampleTransaction('cancelled', { next: LEASED }),
        sampleTransaction('uploading', { next: LEASED, body: { kind: 'open' } }),
      ],
      1000,
    );
    await two.cancel('cancelled', 1000);
    await one.closeSession();
    expect(one.sessionId).toBeUndefined();
    expect(ids(await two.claimDue(9_000_000, 10))).toEqual(['a']);
    expect((await two.load('cancelled'))?.final?.outcome).toBe('cancelled');
    await two.append('uploading', 'body', { offset: 0, bytes: Buffer.from('x'), total: 1 }, 1000);
    expect(ids(await two.claimDue(9_000_000, 10))).toEqual(['uploading']);
    await expect(one.claimDue(1000, 1)).rejects.toBeInstanceOf(LeaseLostError);
    await one.closeSession();
  });

  it('takes back at once what an earlier life at the same address had in work', async () => {
    await one.create([sampleTransaction('tx', { next: LEASED })], 1000);
    const successor = await openTestStore(database);
    try {
      await successor.openSession('http://one:8000', 1100);
      expect(ids(await successor.claimDue(1100, 10))).toEqual(['tx']);
      expect(await two.refreshSession(1100)).toBe(true);
    } finally {
      await successor.close();
    }
  });
});
