import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bodyBytes, memoryBody } from '../../src/lib/core/body.ts';
import { ConflictError, LeaseLostError } from '../../src/lib/core/errors.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { reply } from '../../src/lib/core/response.ts';
import {
  type AttemptRecord,
  BlobReuseError,
  BODY_BLOB,
  type NewTransaction,
  type Outcome,
  type Store,
} from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { sampleRecord, sampleTransaction } from '../helpers/sample-transactions.ts';

const DELIVERED = { kind: 'final', final: { outcome: 'delivered', text: 'upstream response success' } } as const;
const ACCEPTED: AttemptRecord = {
  number: 1,
  startedAt: 1000,
  endedAt: 1500,
  replies: {
    mail: reply(250, '2.1.0', 'sender ok'),
    rcpt: [undefined, reply(451, '4.3.0', 'try\nlater')],
    data: { code: 250, text: 'ok' },
  },
};

function outcome(id: string, more: Partial<Outcome> = {}): Outcome {
  return { id, attempt: ACCEPTED, filterOutput: {}, next: DELIVERED, spawn: [], version: 0, ...more };
}

describe.each(databases)('the store on $name', (kind) => {
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

  const bodyOf = async (id: string, name = BODY_BLOB): Promise<string | undefined> => {
    const body = await store.openBlob(id, name);
    return body === undefined ? undefined : (await bodyBytes(body)).toString('latin1');
  };

  it('gives back every field of a transaction as it was created', async () => {
    const record = sampleRecord('full', {
      tag: 'bulk',
      origin: {
        remoteHost: { host: '192.0.2.7', port: 2525 },
        localHost: { host: '192.0.2.1', port: 25 },
        smtpMeta: { ehloHost: 'a.example', esmtp: true, tls: false, auth: true },
      },
      mailFrom: mailbox('grüße@例え.jp', [{ keyword: 'SMTPUTF8' }, { keyword: 'SIZE', value: '812' }]),
      rcptTo: [mailbox('a@example.org'), mailbox('b@example.org', [{ keyword: 'NOTIFY', value: 'NEVER' }])],
      parentId: 'parent',
      messageBuilder: { headers: [['subject', "it's \u0000 \ud83d\ude00"]] },
      filterOutput: { 'koukan.spf': { result: 'pass' } },
      notification: false,
      createdAt: 1_767_225_600_123,
    });
    const tx: NewTransaction = {
      record,
      blobs: [
        { name: BODY_BLOB, source: { kind: 'body', body: memoryBody(Buffer.from([0, 255, 13, 10, 39])) } },
        { name: 'empty', source: { kind: 'body', body: memoryBody(Buffer.alloc(0)) } },
      ],
      attempts: [ACCEPTED],
      next: DELIVERED,
    };
    await store.create([tx], 1000);
    expect(await store.load('full')).toEqual({
      record,
      blobs: [
        { name: BODY_BLOB, length: 5, total: 5, finalized: true },
        { name: 'empty', length: 0, total: 0, finalized: true },
      ],
      attempts: [ACCEPTED],
      cancelled: false,
      final: DELIVERED.final,
      inputDone: true,
      uncertain: false,
      version: 1,
    });
    expect(await bodyOf('full')).toBe("\x00\xff\r\n'");
    expect(await bodyOf('full', 'empty')).toBe('');
    expect(await bodyOf('full', 'other')).toBeUndefined();
    expect(await store.load('unknown')).toBeUndefined();
  });

  it('keeps the least a transaction can have', async () => {
    const { mailFrom: _, ...record } = sampleRecord('bare', { rcptTo: [], retry: false, notification: false });
    await store.create([{ record, blobs: [], attempts: [], next: { kind: 'due', at: 5 } }], 1000);
    expect(await store.load('bare')).toEqual({
      record,
      blobs: [],
      attempts: [],
      cancelled: false,
      inputDone: true,
      uncertain: false,
      version: 1,
      nextAttemptAt: 5,
    });
  });

  it('stores a body that several transactions of one call share once', async () => {
    const body = memoryBody(Buffer.from('shared'));
    await store.create(
      ['a', 'b', 'c'].map((id) => sampleTransaction(id, { body, next: DELIVERED })),
      1000,
    );
    expect(await Promise.all(['a', 'b', 'c'].map((id) => bodyOf(id)))).toEqual(['shared', 'shared', 'shared']);
    expect(await store.collectGarbage(2000, 2)).toMatchObject({ transactions: 2, blobs: 0 });
    expect(await store.collectGarbage(2000, 2)).toMatchObject({ transactions: 1, blobs: 1 });
  });

  it('lets a new transaction reuse a finalized blob, which then outlives the first one', async () => {
    await store.create([sampleTransaction('first', { body: memoryBody(Buffer.from('once')), next: DELIVERED })], 1000);
    await store.create(
      [sampleTransaction('second', { body: { kind: 'reuse', txId: 'first', name: BODY_BLOB } })],
      5000,
    );
    expect(await store.collectGarbage(2000, 10)).toMatchObject({ transactions: 1, blobs: 0 });
    expect(await bodyOf('first')).toBeUndefined();
    expect(await bodyOf('second')).toBe('once');
  });

  it('refuses to reuse a blob that is missing or unfinished, and writes nothing', async () => {
    await store.create([sampleTransaction('open', { body: { kind: 'open' } })], 1000);
    const create = (txId: string, name: string): Promise<void> =>
      store.create([sampleTransaction('x'), sampleTransaction('y', { body: { kind: 'reuse', txId, name } })], 1000);
    const missing = await create('open', 'nope').catch((error: unknown) => error);
    expect(missing).toBeInstanceOf(BlobReuseError);
    expect(missing).toMatchObject({ txId: 'open', blob: 'nope', reason: 'missing' });
    await expect(create('nobody', BODY_BLOB)).rejects.toMatchObject({ reason: 'missing' });
    await expect(create('open', BODY_BLOB)).rejects.toMatchObject({ reason: 'unfinished' });
    expect(await store.load('x')).toBeUndefined();
  });

  it('refuses an id that is taken', async () => {
    await store.create([sampleTransaction('same')], 1000);
    await expect(store.create([sampleTransaction('same')], 1000)).rejects.toBeInstanceOf(ConflictError);
  });

  it('records an outcome and the notification it causes together', async () => {
    await store.create([sampleTransaction('tx', { next: { kind: 'leased' } })], 1000);
    expect(await store.load('tx')).toMatchObject({ lease: { uri: 'http://one:8000', sessionId: store.sessionId } });
    const notification = sampleTransaction('bounce', { record: { parentId: 'tx', mailFrom: mailbox('') } });
    const final = { outcome: 'failed', text: 'upstream response permfail' } as const;
    await store.recordOutcome(
      outcome('tx', { next: { kind: 'final', final }, spawn: [notification], filterOutput: { a: 1 }, version: 40 }),
      1500,
    );
    const loaded = await store.load('tx');
    expect(loaded).toMatchObject({ final, attempts: [ACCEPTED], version: 40, record: { filterOutput: { a: 1 } } });
    expect(loaded?.lease).toBeUndefined();
    expect(await store.load('bounce')).toMatchObject({ record: { parentId: 'tx' }, nextAttemptAt: 1000 });
  });

  it('records neither when the notification cannot be created', async () => {
    await store.create([sampleTransaction('tx', { next: { kind: 'leased' } }), sampleTransaction('taken')], 1000);
    const impossible = [
      [sampleTransaction('taken')],
      [sampleTransaction('new', { body: { kind: 'reuse' as const, txId: 'tx', name: 'nope' } })],
    ];
    for (const spawn of impossible) {
      await expect(store.recordOutcome(outcome('tx', { spawn }), 1500)).rejects.toThrow();
    }
    const loaded = await store.load('tx');
    expect(loaded).toMatchObject({ version: 1, attempts: [], lease: { uri: 'http://one:8000' } });
    expect(loaded?.final).toBeUndefined();
  });

  it('refuses an outcome for a transaction that is not leased to us', async () => {
    await store.create([sampleTransaction('due')], 1000);
    await expect(store.recordOutcome(outcome('due'), 1500)).rejects.toBeInstanceOf(LeaseLostError);
    await expect(store.recordOutcome(outcome('unknown'), 1500)).rejects.toBeInstanceOf(LeaseLostError);
    expect(await store.load('due')).toMatchObject({ attempts: [], nextAttemptAt: 1000 });
  });

  it('ends a cancelled transaction at once when nobody has it in work', async () => {
    await store.create([sampleTransaction('tx')], 1000);
    await store.cancel('tx', 1100);
    await store.cancel('unknown', 1100);
    const loaded = await store.load('tx');
    expect(loaded).toMatchObject({ cancelled: true, final: { outcome: 'cancelled', text: 'downstream cancelled' } });
    expect(await store.claimDue(9999, 10)).toEqual([]);
    await store.cancel('tx', 1200);
    expect((await store.load('tx'))?.version).toBe(loaded?.version);
  });

  it('ends a cancelled transaction that is in work when its owner would retry it, and lets a real end stand', async () => {
    const leased = { next: { kind: 'leased' } } as const;
    await store.create([sampleTransaction('again', leased), sampleTransaction('done', leased)], 1000);
    for (const id of ['again', 'done']) await store.cancel(id, 1100);
    expect(await store.load('again')).toMatchObject({ cancelled: true, lease: { uri: 'http://one:8000' } });
    await store.recordOutcome(outcome('again', { next: { kind: 'due', at: 2000 } }), 1500);
    await store.recordOutcome(outcome('done'), 1500);
    const again = await store.load('again');
    expect(again?.final).toEqual({ outcome: 'cancelled', text: 'downstream cancelled' });
    expect(again?.nextAttemptAt).toBeUndefined();
    expect((await store.load('done'))?.final?.outcome).toBe('delivered');
  });

  it('collects what ended or was never completed, and nothing that waits, is in work or is young', async () => {
    await store.create(
      [
        sampleTransaction('ended', { next: DELIVERED }),
        sampleTransaction('unfinished', { body: { kind: 'open' } }),
        sampleTransaction('waiting'),
        sampleTransaction('in work', { body: { kind: 'open' }, next: { kind: 'leased' } }),
      ],
      1000,
    );
    await store.create([sampleTransaction('young', { next: DELIVERED })], 3000);
    expect(await store.collectGarbage(2000, 10)).toMatchObject({ transactions: 2, blobs: 2 });
    const left = await Promise.all(
      ['ended', 'unfinished', 'waiting', 'in work', 'young'].map(async (id) => (await store.load(id))?.record.id),
    );
    expect(left).toEqual([undefined, undefined, 'waiting', 'in work', 'young']);
    expect(await bodyOf('waiting')).toContain('hello');
  });
});
