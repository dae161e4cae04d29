/** Copies by `add_route` in a whole router with a real store: delivered, retried and linked like any transaction. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import type { Store } from '../../src/lib/store/store.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { tickUntil } from '../helpers/fake-clock.ts';
import { DEFAULT_CHAINS, type Harness, sendAs, startRouter } from '../helpers/router-harness.ts';

const deliver = DEFAULT_CHAINS.slice(DEFAULT_CHAINS.indexOf('- name: deliver'));

/** `ingress` delivers through a chain that makes a copy for `journal`, whose transactions go to another hop. */
function chains(options: string): string {
  return DEFAULT_CHAINS.replace(
    'tag: [{name: out, output_chain: deliver}]',
    'tag: [{name: out, output_chain: copying}]',
  )
    .replace('- name: native', '- {name: journal, output_chain: deliver, retry: output_chain}\n- name: native')
    .concat(
      deliver
        .replace('name: deliver', 'name: copying')
        .replace('  - {filter: message_builder}', `  - {filter: add_route, sender: journal${options}}`),
    );
}

function bound(store: Store, key: string | symbol): unknown {
  const value: unknown = Reflect.get(store, key, store);
  return typeof value === 'function' ? value.bind(store) : value;
}

describe.each(databases)('on $name', (kind) => {
  let database: TestDatabase;
  let harness: Harness;
  beforeEach(async () => {
    database = await kind.create();
  });
  afterEach(async () => {
    await harness.stop();
    await database.drop();
  });
  const start = async (options: string): Promise<void> => {
    harness = await startRouter({ databaseUrl: database.url, chains: chains(options) });
  };

  it('a copy that is waited for is sent once beside the message, with nothing in the store', async () => {
    await start('');
    const { promises } = harness.store.stats;
    const { data } = await sendAs(harness, 'ingress', ['bob@far.example']);
    expect(data?.code).toBe(250);
    expect(harness.far.deliveries.map(({ rcptTo }) => rcptTo)).toEqual([['bob@far.example'], ['bob@far.example']]);
    expect(harness.store.stats.promises).toBe(promises);
  });

  it('a stored copy is delivered after the message was, and is linked to it', async () => {
    await start(', store_and_forward: true');
    expect((await sendAs(harness, 'ingress', ['bob@far.example'])).data?.code).toBe(250);
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 2);
    const [copy] = (await harness.store.list({ filter: { senders: ['journal'] }, limit: 10 })).transactions;
    expect(copy?.record.parentId).toBeDefined();
  });

  it('a stored copy of a message that was refused for now is dropped: the client sends it again, and it is copied once', async () => {
    await start(', store_and_forward: true');
    let isUp = false;
    harness.far.answers = (stage) => (stage === 'data' && !isUp ? reply(451, '4.3.0', 'later') : undefined);
    expect((await sendAs(harness, 'ingress', ['bob@far.example'])).data?.code).toBe(451);
    isUp = true;
    expect((await sendAs(harness, 'ingress', ['bob@far.example'])).data?.code).toBe(250);
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 2);
    await harness.clock.advance(3_600_000);
    expect(harness.far.deliveries).toHaveLength(2);
  });

  it('a stored copy whose router could say no more is delivered in the end', async () => {
    const away = (): Promise<never> => Promise.reject(new Error('the database is away'));
    const wrapStore = (store: Store): Store =>
      new Proxy(store, { get: (of, key) => (key === 'makeDue' ? away : bound(of, key)) });
    const options = chains(', store_and_forward: true');
    harness = await startRouter({ databaseUrl: database.url, chains: options, wrapStore });
    expect((await sendAs(harness, 'ingress', ['bob@far.example'])).data?.code).toBe(250);
    await harness.clock.advance(890_000);
    expect(harness.far.deliveries).toHaveLength(1);
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 2);
  });

  it('a copy that fails for now is tried again by the policy of its own sender', async () => {
    await start(', store_and_forward: true');
    let refusals = 0;
    harness.far.answers = (stage) => {
      if (stage !== 'data' || harness.far.deliveries.length !== 1 || refusals === 1) return undefined;
      refusals += 1;
      return reply(451, '4.3.0', 'journal is busy');
    };
    await sendAs(harness, 'ingress', ['bob@far.example']);
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 2);
    expect(refusals).toBe(1);
  });
});
