/** What one row has wrong with it is the trouble of nobody who is committed with it. */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { GroupCommit } from '../../src/lib/store/group-commit.ts';
import { History } from '../../src/lib/store/history.ts';
import { newTxRow, nextColumns } from '../../src/lib/store/rows.ts';
import type { CreatePlan, PlannedTransaction } from '../../src/lib/store/sql/create-transactions.ts';
import type { Operation } from '../../src/lib/store/sql/index.ts';
import type { HistoryRows } from '../../src/lib/store/sql/write-history.ts';
import { BODY_BLOB, type NewTransaction, type Store, StoreUnavailableError } from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { FakeClock, settle } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';
import { sampleRecord, sampleTransaction } from '../helpers/sample-transactions.ts';

const ENDED = { kind: 'final', final: { outcome: 'failed', text: 'no such user' } } as const;

/** Bytes without a pattern: what an index could hold when compressed would prove nothing. */
function noise(chars: number): string {
  let text = '';
  for (let i = 0; text.length < chars; i += 1) text += createHash('sha512').update(String(i)).digest('base64url');
  return text.slice(0, chars);
}

const longAddress = (chars: number): string => `${noise(chars)}@example.com`;

describe.each(databases)('an address longer than an index of $name takes', (kind) => {
  let database: TestDatabase;
  let store: Store;
  const log = memoryLog();
  const to = (id: string, address: string, more: Partial<NewTransaction> = {}): NewTransaction => ({
    ...sampleTransaction(id, { record: { rcptTo: [mailbox(address)], mailFrom: mailbox(address) } }),
    ...more,
  });

  beforeEach(async () => {
    database = await kind.create();
    store = await openTestStore(database, { log });
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  it('is no trouble for what is created with it', async () => {
    const created = [sampleTransaction('before'), to('long', longAddress(7000)), sampleTransaction('after')].map((tx) =>
      store.create([tx], 1000),
    );
    const [before, , after] = await Promise.allSettled(created);
    expect([before?.status, after?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(await store.load('before')).toBeDefined();
    expect(await store.load('after')).toBeDefined();
    expect(store.stats.isFailing).toBe(false);
  });

  it('is none either in the history of a conversation that was refused', async () => {
    store.recordHistory(to('long', longAddress(7000), { blobs: [], next: ENDED }), 1000);
    for (let i = 0; i < 5; i += 1) await store.create([sampleTransaction(`tx${i}`)], 1000);
    await store.flush().catch(() => undefined);
    expect(store.stats).toMatchObject({ historyBacklog: 0, isFailing: false });
  });

  it('cannot come in: the longest one that does is stored and found again, in small letters too', async () => {
    // Small letters may need more octets than large ones: of all letters, half as many again at most.
    const address = `${noise(500).replace(/./g, (char) => (char < 'N' ? 'Ⱥ' : 'Ⱦ'))}${noise(17)}@b.test`;
    await store.create([to('longest', address)], 1000);
    const { transactions } = await store.list({ limit: 10, filter: { to: { address: address.toLowerCase() } } });
    expect(transactions.map(({ record }) => record.id)).toEqual(['longest']);
    expect(await store.blobStatus('longest', BODY_BLOB)).toBeDefined();
  });
});

/** A database in which everything goes well that does not have a poisonous row in it; `batches` are the rows of each. */
function poisonable() {
  const batches: string[][] = [];
  const down = { isDown: false };
  const clock = new FakeClock(1000);
  const group = new GroupCommit(async (operations: readonly Operation[]) => {
    const ids = operations.flatMap(idsOf);
    batches.push(ids);
    if (down.isDown || ids.some((id) => id.startsWith('poison'))) throw new StoreUnavailableError('out of order');
    return { results: operations.map(() => ({ kind: 'done' as const, value: undefined })), changed: true };
  }, clock);
  const log = memoryLog();
  const history = new History(group, clock, log);
  return { batches, down, group, log, clock, history };
}

/** The transactions that an operation is about. */
function idsOf({ verb, args }: Operation): string[] {
  if (verb === 'writeHistory') return [...(args as HistoryRows)].map(({ row }) => row.id);
  if (verb === 'createTransactions') return (args as CreatePlan).transactions.map(({ row }) => row.id);
  return [(args as { txId: string }).txId];
}

const line = (id: string): PlannedTransaction => ({
  row: newTxRow(sampleRecord(id), nextColumns(ENDED, null), true, 1000),
  attempts: [],
  blobs: [],
});

describe('a line of history that no batch can be committed with', () => {
  it('is the trouble of others once, and is given up soon', async () => {
    const { batches, group, log, clock, history } = poisonable();
    history.add(line('poison'));
    const answers: string[] = [];
    for (let i = 0; i < 20; i += 1) {
      await group.write('cancel', { txId: `other${i}`, now: 1 }).then(
        () => answers.push('done'),
        () => answers.push('refused'),
      );
      await clock.advance(limits.storeHistoryPauseMs);
      await settle();
    }
    expect(answers.filter((answer) => answer === 'refused')).toHaveLength(1);
    expect(batches.filter((ids) => ids.includes('poison'))).toHaveLength(1 + limits.storeHistoryTries);
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    expect([history.backlog, group.stats.isFailing]).toEqual([0, false]);
  });

  it('costs its neighbours nothing: they are written', async () => {
    const { batches, group, clock, history } = poisonable();
    for (let i = 0; i < 40; i += 1) history.add(line(i === 23 || i === 31 ? `poison${i}` : `line${i}`));
    for (let i = 0; i < 100; i += 1) {
      await group.write('cancel', { txId: `other${i}`, now: 1 }).catch(() => undefined);
      await clock.advance(limits.storeHistoryPauseMs);
      await settle();
    }
    const written = batches.filter((ids) => !ids.some((id) => id.startsWith('poison'))).flat();
    expect(written.filter((id) => id.startsWith('line'))).toHaveLength(38);
    expect(history.backlog).toBe(0);
  });

  it('is told from a database that is away: then all wait, however long that is', async () => {
    const { batches, down, group, log, clock, history } = poisonable();
    down.isDown = true;
    for (const id of ['a', 'b', 'c']) history.add(line(id));
    for (let i = 0; i < 50; i += 1) {
      await group.write('cancel', { txId: `other${i}`, now: 1 }).catch(() => undefined);
      await clock.advance(limits.storeHistoryPauseMs);
      await settle();
    }
    expect(history.backlog).toBe(3);
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    down.isDown = false;
    await history.flush();
    expect(batches.at(-1)).toEqual(['a', 'b', 'c']);
  });
});
