import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { reply } from '../../src/lib/core/response.ts';
import type { ListFilter, ListPosition } from '../../src/lib/store/list.ts';
import { readMigrations } from '../../src/lib/store/migrations.ts';
import { openPostgresSchema } from '../../src/lib/store/postgres/schema.ts';
import { openSqliteSchema } from '../../src/lib/store/sqlite/schema.ts';
import type { NewTransaction, NextStep, Store } from '../../src/lib/store/store.ts';
import { parseStoreUrl } from '../../src/lib/store/url.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

const final = (outcome: 'delivered' | 'failed' | 'cancelled' | 'abandoned'): NextStep => ({
  kind: 'final',
  final: { outcome, text: outcome },
});

interface Sample {
  readonly at?: number;
  readonly sender?: string;
  readonly to?: string;
  readonly from?: string;
  readonly next?: NextStep;
  readonly parentId?: string;
  readonly isOpen?: boolean;
}

function sample(id: string, ask: Sample = {}): NewTransaction {
  const { at = 1000, sender = 'app', to = 'bob@example.org', from = 'alice@example.com', parentId, isOpen } = ask;
  return sampleTransaction(id, {
    record: {
      sender,
      createdAt: at,
      mailFrom: mailbox(from),
      rcptTo: [mailbox(to)],
      ...(parentId !== undefined && { parentId }),
    },
    next: ask.next ?? final('delivered'),
    ...(isOpen && { body: { kind: 'open' } as const }),
  });
}

describe.each(databases)('a list of transactions on $name', (kind) => {
  let database: TestDatabase;
  let store: Store;

  beforeEach(async () => {
    database = await kind.create();
    store = await openTestStore(database);
    await store.openSession('http://router.example', 1000, { ttlMs: 90_000 });
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  const ids = async (filter: ListFilter, limit = 100): Promise<string[]> => {
    const { transactions } = await store.list({ filter, limit });
    return transactions.map(({ record }) => record.id);
  };

  it('has the newest first, those of one moment in an order that does not change', async () => {
    await store.create([sample('a', { at: 1 }), sample('b', { at: 3 }), sample('c', { at: 2 })], 1000);
    await store.create([sample('d', { at: 2 })], 1000);
    expect(await ids({})).toEqual(['b', 'd', 'c', 'a']);
  });

  it('is read page by page without loss or repetition while transactions come and go', async () => {
    const all = Array.from({ length: 25 }, (_, i) => sample(`t${String(i).padStart(2, '0')}`, { at: 100 + (i >> 1) }));
    await store.create(all, 1000);
    const seen: string[] = [];
    let before: ListPosition | undefined;
    for (let page = 0; page < 10; page += 1) {
      const found = await store.list({ filter: {}, limit: 4, ...(before && { before }) });
      seen.push(...found.transactions.map(({ record }) => record.id));
      before = found.next;
      if (before === undefined) break;
      // A newer one belongs before what was read already.
      await store.create([sample(`new${page}`, { at: 1000 + page })], 1000);
    }
    expect(before).toBeUndefined();
    expect(seen).toEqual(all.map(({ record }) => record.id).reverse());
  });

  it('finds by sender, recipient, domain, reverse-path and parent, in any case of letters', async () => {
    await store.create(
      [
        sample('a', { at: 5, sender: 'app', to: 'Bob@Example.ORG' }),
        sample('b', { at: 4, sender: 'shop', to: 'carol@example.org', from: '' }),
        sample('c', { at: 3, sender: 'shop', to: 'bob@example.net', parentId: 'p' }),
        sample('d', { at: 2, sender: 'shop', to: 'postmaster', from: 'Alice@Shop.example' }),
      ],
      1000,
    );
    expect(await ids({ sender: 'shop' })).toEqual(['b', 'c', 'd']);
    expect(await ids({ to: { address: 'bob@example.org' } })).toEqual(['a']);
    expect(await ids({ to: { domain: 'example.org' } })).toEqual(['a', 'b']);
    expect(await ids({ to: { address: 'postmaster' } })).toEqual(['d']);
    expect(await ids({ from: '' })).toEqual(['b']);
    expect(await ids({ from: 'alice@shop.example' })).toEqual(['d']);
    expect(await ids({ parent: 'p' })).toEqual(['c']);
    expect(await ids({ parent: 'p', to: { address: 'bob@example.net' }, sender: 'shop' })).toEqual(['c']);
    expect(await ids({ parent: 'p', to: { domain: 'example.net' }, from: 'nobody@example.com' })).toEqual([]);
    expect(await ids({ sender: 'shop', to: { domain: 'example.org' } })).toEqual(['b']);
    expect(await ids({ senders: ['app'] })).toEqual(['a']);
    expect(await ids({ senders: [] })).toEqual([]);
  });

  it('finds by state', async () => {
    await store.create(
      [
        sample('leased', { next: { kind: 'leased' } }),
        sample('waiting', { next: { kind: 'due', at: 9000 } }),
        sample('doubtful', { next: { kind: 'uncertain' } }),
        sample('uploading', { next: { kind: 'due', at: 1000 }, isOpen: true }),
        ...(['delivered', 'failed', 'cancelled', 'abandoned'] as const).map((o) => sample(o, { next: final(o) })),
      ],
      1000,
    );
    expect(await ids({ state: 'active' })).toEqual(['leased']);
    expect(await ids({ state: 'deferred' })).toEqual(['waiting']);
    expect(await ids({ state: 'incomplete' })).toEqual(['uploading']);
    for (const outcome of ['delivered', 'failed', 'cancelled', 'abandoned'] as const) {
      expect(await ids({ state: outcome })).toEqual([outcome]);
    }
    expect(await ids({ state: 'uncertain' })).toEqual(['doubtful']);
    expect(await store.queueDepth()).toEqual({
      active: 1,
      deferred: 1,
      incomplete: 1,
      uncertain: 1,
      nextDueAt: 9000,
    });
  });

  it('shows the newest attempt, with the hosts it offered the message to', async () => {
    const attempt = (number: number) => ({
      number,
      startedAt: number * 10,
      endedAt: number * 10 + 1,
      replies: { rcpt: [undefined, reply(450, '4.2.1', `try ${number}`)] },
      hosts: [
        { host: '192.0.2.1', port: 25 },
        { host: '2001:db8::1', port: 25 },
      ],
    });
    const attempts = [attempt(1), attempt(2)];
    await store.create([{ ...sample('a', { next: { kind: 'due', at: 9000 } }), attempts }], 1000);
    expect((await store.list({ filter: {}, limit: 1 })).transactions[0]?.attempts).toEqual([attempts[1]]);
    expect((await store.load('a'))?.attempts).toEqual(attempts);
  });

  it('makes due only what waits for its next attempt', async () => {
    await store.create(
      [
        sample('later', { next: { kind: 'due', at: 9000 } }),
        sample('leased', { next: { kind: 'leased' } }),
        sample('open', { next: { kind: 'due', at: 9000 }, isOpen: true }),
        sample('done'),
      ],
      1000,
    );
    expect(await store.makeDue('later', 2000)).toBe('due');
    expect(await store.makeDue('leased', 2000)).toBe('inWork');
    expect(await store.makeDue('open', 2000)).toBe('input');
    expect(await store.makeDue('done', 2000)).toBe('final');
    expect(await store.makeDue('nobody', 2000)).toBe('unknown');
    expect((await store.load('later'))?.nextAttemptAt).toBe(2000);
    expect((await store.claimDue(2000, 10)).map(({ record }) => record.id)).toEqual(['later']);
  });
});

describe.each(databases)('transactions of the version before on $name', (kind) => {
  it('are found as well', async () => {
    const database = await kind.create();
    try {
      const url = parseStoreUrl(database.url);
      const connection =
        url.kind === 'sqlite' ? await openSqliteSchema(url.file, true) : await openPostgresSchema(url.url, url.shown);
      const [first] = await readMigrations(url.kind);
      await connection.script(`create table schema_migrations (version integer primary key, name text not null, applied_at bigint not null);
        insert into schema_migrations values (1, 'initial', 1);
        ${first?.sql ?? ''}`);
      for (const [id, from, to] of [
        ['a', '{"address":"Alice@Example.com","params":[]}', '[{"address":"Bob@Example.ORG","params":[]}]'],
        ['b', '{"address":"","params":[]}', '[{"address":"\\"a@b\\"@example.net","params":[]}]'],
        ['c', null, '[]'],
        ['d', null, '[{"address":"postmaster","params":[]}]'],
      ]) {
        await connection.sql.run(
          `insert into transactions (id, sender, origin, mail_from, rcpt_to, filter_output, retry, notification, created_at, updated_at,
            version, input_done, cancelled) values (?, 's', '{}', ?, ?, '{}', 0, 0, 1, 1, 1, 1, 0)`,
          [id as string, from as string | null, to as string],
        );
      }
      await connection.close();
      const store = await openTestStore(database);
      const ids = async (filter: ListFilter): Promise<string[]> =>
        (await store.list({ filter, limit: 10 })).transactions.map(({ record }) => record.id);
      expect(await ids({ to: { address: 'bob@example.org' } })).toEqual(['a']);
      expect(await ids({ to: { domain: 'example.org' } })).toEqual(['a']);
      expect(await ids({ to: { domain: 'example.net' } })).toEqual(['b']);
      expect(await ids({ to: { address: 'postmaster' } })).toEqual(['d']);
      expect(await ids({ from: 'alice@example.com' })).toEqual(['a']);
      expect(await ids({ from: '' })).toEqual(['b']);
      expect(await ids({})).toEqual(['d', 'c', 'b', 'a']);
      await store.close();
    } finally {
      await database.drop();
    }
  });
});
