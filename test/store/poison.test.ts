/** What one row has wrong with it is the trouble of nobody who is committed with it. */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { BODY_BLOB, type NewTransaction, type Store } from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { memoryLog } from '../helpers/fake-deps.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

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
