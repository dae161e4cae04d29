/** Several routers on one PostgreSQL: a client may ask any of them, each message is one router's at a time, and nothing stays with nobody. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { reply } from '../../src/lib/core/response.ts';
import { createRestServer, type RestServer } from '../../src/lib/http/server.ts';
import type { UploadAsk } from '../../src/lib/http/service.ts';
import { type Store, StoreUnavailableError } from '../../src/lib/store/store.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { FakeClock, settle, tickUntil } from '../helpers/fake-clock.ts';
import { FarEnd } from '../helpers/far-end.ts';
import { DEFAULT_CHAINS, type Harness, type HarnessOptions, sendAs, startRouter } from '../helpers/router-harness.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';
import { storeWith } from '../helpers/store-with.ts';

const TTL_MS = 10_000;
const never = new AbortController().signal;
const postgres = databases.filter(({ name }) => name === 'postgres');
const uriOf = (name: string): string => `http://${name}.example:8000`;

const inlineAsk = (rcpt: string) => ({
  mailFrom: mailbox('alice@example.com'),
  rcptTo: [mailbox(rcpt)],
  body: { kind: 'inline', text: 'subject: x\r\n\r\nhello\r\n' } as const,
});

/** An upload whose entity must not be looked at. */
const unread: UploadAsk = {
  offset: 0,
  whole: true,
  bytes: {
    [Symbol.asyncIterator]: () => {
      throw new Error('the entity was read');
    },
  },
};

let database: TestDatabase;
let clock: FakeClock;
let far: FarEnd;
let routers: Harness[];

beforeEach(async () => {
  database = await (postgres[0] as (typeof databases)[number]).create();
  clock = new FakeClock();
  far = new FarEnd();
  routers = [];
});

afterEach(async () => {
  for (const { stop } of routers) await stop();
  await database.drop();
});

async function start(name: string, more: Partial<HarnessOptions> = {}): Promise<Harness> {
  const options = { databaseUrl: database.url, clock, far, sessionUri: uriOf(name), seed: routers.length + 1 };
  const router = await startRouter({ ...options, storage: ', session_refresh_interval: 2', ...more });
  routers.push(router);
  return router;
}

/** Its signs of life do not arrive any more. */
class Silence {
  isMute = false;
  readonly wrapStore: (store: Store) => Store = storeWith((real) => ({
    refreshSession: (now) => this.#unlessMute(() => real.refreshSession(now)),
    recordOutcome: (outcome, now) => this.#unlessMute(() => real.recordOutcome(outcome, now)),
  }));

  #unlessMute<T>(call: () => Promise<T>): Promise<T> {
    return this.isMute ? Promise.reject(new StoreUnavailableError('cut off')) : call();
  }
}

/** A far end that keeps one step waiting until it is let go. */
function slowFarEnd(step: 'rcpt' | 'data'): { readonly far: FarEnd; readonly letGo: () => void } {
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const slow = new FarEnd();
  const open = slow.open.bind(slow);
  slow.open = (ask) => {
    const exchange = open(ask);
    const wait = (which: string): Promise<void> => (which === step ? held : Promise.resolve());
    return {
      mail: (from) => exchange.mail(from),
      rcpt: async (to) => wait('rcpt').then(() => exchange.rcpt(to)),
      data: async (body) => wait('data').then(() => exchange.data(body)),
      close: () => exchange.close(),
    };
  };
  return { far: slow, letGo: () => letGo() };
}

describe('a client that asks another router', () => {
  it('is sent to the owner of a stored transaction before its upload is read, and cancels it anywhere', async () => {
    const [one, two] = [await start('one'), await start('two')];
    far.answers = (stage) => (stage === 'rcpt' ? 'hang' : undefined);
    const { id } = await one.router.service.create('native', inlineAsk('bob@example.com'));
    const { service } = two.router;
    const toOne = { name: 'RedirectProblem', baseUri: uriOf('one') };
    await expect(service.read(id, undefined, never)).rejects.toMatchObject(toOne);
    await expect(service.read(id, { ifNoneMatch: '1', waitMs: 1000 }, never)).rejects.toMatchObject(toOne);
    await expect(service.update(id, { rcptTo: [] }, '1')).rejects.toMatchObject(toOne);
    await expect(service.heartbeat(id)).rejects.toMatchObject(toOne);
    await expect(service.upload(id, undefined, unread)).rejects.toMatchObject(toOne);

    await service.cancel(id);
    // The owner hears of it with its next look, and the far end at once.
    await tickUntil(clock, async () => (await one.store.load(id))?.final?.outcome === 'cancelled');
    expect(far.cancelled).toBe(1);
    expect(one.log.map(({ text }) => text)).toContain('cancelled at another replica');
  });

  it('is sent to the router that has a conversation in its memory, whatever it wants of it', async () => {
    const [one, two] = [await start('one'), await start('two')];
    const { id } = await one.router.service.create('ingress', { mailFrom: mailbox('alice@example.com'), rcptTo: [] });
    const { service } = two.router;
    const toOne = { name: 'RedirectProblem', baseUri: uriOf('one') };
    await expect(service.read(id, undefined, never)).rejects.toMatchObject(toOne);
    await expect(service.update(id, {}, '1')).rejects.toMatchObject(toOne);
    await expect(service.heartbeat(id)).rejects.toMatchObject(toOne);
    await expect(service.upload(id, undefined, unread)).rejects.toMatchObject(toOne);
    await expect(service.cancel(id)).rejects.toMatchObject(toOne);
    expect(await one.router.service.read(id, undefined, never)).toMatchObject({ id });
  });

  it('hears that there is no such transaction when the router that had the conversation is gone', async () => {
    const [one, two] = [await start('one'), await start('two')];
    const id = `as-if-forgotten~${one.store.sessionId}`;
    await expect(two.router.service.read(id, undefined, never)).rejects.toMatchObject({ baseUri: uriOf('one') });
    await one.stop();
    routers.shift();
    await expect(two.router.service.read(id, undefined, never)).rejects.toMatchObject({ status: 404 });
    await two.router.service.cancel(id);
  });

  it('is not sent to a router that gives no sign of life', async () => {
    const silence = new Silence();
    const [one, two] = [await start('one', { wrapStore: silence.wrapStore }), await start('two')];
    far.answers = (stage) => (stage === 'rcpt' ? 'hang' : undefined);
    const { id } = await one.router.service.create('native', inlineAsk('bob@example.com'));
    const conversation = await one.router.service.create('ingress', { rcptTo: [] });
    silence.isMute = true;
    const statuses = async (): Promise<unknown[]> => {
      const asked = [id, conversation.id].map((each) =>
        two.router.service.read(each, undefined, never).then(
          () => 200,
          (problem: { status?: number; baseUri?: string }) => problem.status ?? problem.baseUri,
        ),
      );
      return Promise.all(asked);
    };
    expect(await statuses()).toEqual([uriOf('one'), uriOf('one')]);
    await clock.advance(TTL_MS / 2 + 4000);
    await tickUntil(clock, async () => (await statuses()).every((status) => status === 503));
    // What was stored is taken over; what was only said is over.
    far.answers = () => undefined;
    await tickUntil(clock, () => far.deliveries.length > 0);
    await tickUntil(clock, async () => (await statuses()).join() === '200,404');
  });
});

describe('over HTTP', () => {
  it('a client is redirected before it sends its message, and finds a finished message at the address of all', async () => {
    const [one, two] = [await start('one'), await start('two')];
    far.answers = (stage) => (stage === 'data' ? 'hang' : undefined);
    const { id } = await one.router.service.create('native', inlineAsk('bob@example.com'));
    const bases = { sessionUri: uriOf('x'), serviceUri: 'http://all.example' };
    const [here, there] = await Promise.all(
      [one, two].map(({ router, deps }) =>
        createRestServer({ service: router.service, log: deps.log, clock: deps.clock, ...bases }),
      ),
    );
    const [atOne, atTwo] = await Promise.all(
      [here, there].map((server) => (server as RestServer).listen({ host: '127.0.0.1', port: 0 })),
    );
    const view = await fetch(`http://127.0.0.1:${atOne?.port}/transactions/${id}`);
    expect(await view.json()).toMatchObject({
      body: { blob_status: { uri: `http://all.example/transactions/${id}/body`, finalized: true } },
    });
    const socket = connect(atTwo?.port ?? 0, '127.0.0.1');
    socket.write(`PUT /transactions/${id}/body HTTP/1.1\r\nhost: two\r\ncontent-length: 1000000\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 308 /);
    expect(answer.toString()).toContain(`location: ${uriOf('one')}/transactions/${id}/body\r\n`);
    socket.destroy();
    await Promise.all([here, there].map((server) => server?.close(AbortSignal.abort())));
  });
});

describe('a message that is taken over', () => {
  it('is not sent by a router that was cut off from the database, whose late outcome is refused', async () => {
    const silence = new Silence();
    const { far: slow, letGo } = slowFarEnd('rcpt');
    const one = await start('one', { wrapStore: silence.wrapStore, far: slow });
    const two = await start('two');
    const { id } = await one.router.service.create('native', inlineAsk('bob@example.com'));
    silence.isMute = true;
    await tickUntil(clock, () => far.deliveries.length === 1);
    letGo();
    await tickUntil(clock, () => one.log.some(({ text }) => text === 'an outcome could not be recorded, trying again'));
    expect(slow.deliveries).toHaveLength(0);
    silence.isMute = false;
    await tickUntil(clock, () => one.log.some(({ text }) => text.startsWith('lease lost')));
    expect(await two.store.load(id)).toMatchObject({ final: { outcome: 'delivered' } });
    expect(far.deliveries).toHaveLength(1);
  });

  it.each(['native', 'submission'])(
    'is not sent by a router whose far end was slow to want it, however small it is: %s',
    async (sender) => {
      const silence = new Silence();
      const { far: slow, letGo } = slowFarEnd('data');
      const one = await start('one', { wrapStore: silence.wrapStore, far: slow });
      await start('two');
      if (sender === 'native') await one.router.service.create('native', inlineAsk('bob@example.com'));
      else {
        // Stored while it is on its way already: the client does not wait for longer.
        const verdict = sendAs(one, sender, ['bob@example.com']);
        await settle();
        await clock.advance(21_000);
        expect((await verdict).data?.code).toBe(250);
      }
      await settle(50);
      silence.isMute = true;
      await tickUntil(clock, () => far.deliveries.length === 1);
      letGo();
      await settle(50);
      await clock.advance(5000);
      expect(slow.deliveries).toHaveLength(0);
      expect(far.deliveries).toHaveLength(1);
      silence.isMute = false;
    },
  );

  it("is the other router's to tell of, whatever the first one knows of it", async () => {
    const silence = new Silence();
    const one = await start('one', { wrapStore: silence.wrapStore, far: new FarEnd() });
    const hanging = new FarEnd();
    hanging.answers = () => 'hang';
    await start('two', { far: hanging });
    silence.isMute = true;
    const { id } = await one.router.service.create('native', inlineAsk('bob@example.com'));
    await tickUntil(clock, () => hanging.asks.length > 0);
    silence.isMute = false;
    await tickUntil(clock, () => one.log.some(({ text }) => text.startsWith('lease lost')));
    expect(one.far.deliveries).toHaveLength(1);
    await expect(one.router.service.read(id, undefined, never)).rejects.toMatchObject({ baseUri: uriOf('two') });
  });

  it('is not begun by a router that lost its session while it read the message', async () => {
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let reads = 0;
    const wrapStore = storeWith((real) => ({
      openBlob: async (txId, name) => {
        reads += 1;
        if (reads === 1) await held;
        return real.openBlob(txId, name);
      },
    }));
    const one = await start('one', { wrapStore });
    await one.store.create([sampleTransaction('tx', { record: { sender: 'native' } })], clock.now());
    await tickUntil(clock, () => reads === 1);
    const two = await start('two', { far: new FarEnd() });
    const lost = one.store.sessionId;
    await two.store.expireSessions((await two.store.sessions()).filter(({ id }) => id === lost));
    await tickUntil(clock, () => two.far.deliveries.length === 1);
    // Sooner than a session really ends: it still trusts the sign of life that was its last, until it hears of this.
    await tickUntil(clock, () => one.store.sessionId !== undefined && one.store.sessionId !== lost);
    letGo();
    await clock.advance(20_000);
    await settle(50);
    expect(far.deliveries).toHaveLength(0);
  });
});

describe('a transaction that nobody has in work', () => {
  it('is let go when a commit that gave this router its lease was never answered', async () => {
    let isLost = true;
    const wrapStore = storeWith((real) => ({
      create: async (transactions, now) => {
        await real.create(transactions, now);
        if (isLost) throw new StoreUnavailableError('the answer was lost');
      },
    }));
    const one = await start('one', { wrapStore });
    await expect(one.router.service.create('native', inlineAsk('bob@example.com'))).rejects.toThrow(
      StoreUnavailableError,
    );
    isLost = false;
    expect(await one.store.leases(false)).toHaveLength(1);
    await tickUntil(clock, async () => (await one.store.leases(false)).length === 0);
    await tickUntil(clock, () => far.deliveries.length === 1);
    await settle(50);
    expect(one.log.map(({ text }) => text)).toContain('let go of transactions that nobody had in work');
  });

  it('is worked on by another router when its own does not look for due work', async () => {
    const one = await start('one', { globals: ', dequeue: false, executor: {output: {max_inflight: 1}}' });
    await start('two');
    far.answers = (stage, rcpt) => (stage === 'rcpt' && rcpt.startsWith('slow') ? 'hang' : undefined);
    await one.router.service.create('native', inlineAsk('slow@example.com'));
    await one.router.service.create('native', inlineAsk('bob@example.com'));
    await tickUntil(clock, () => far.deliveries.length === 1);
    expect(far.deliveries[0]?.rcptTo).toEqual(['bob@example.com']);
  });

  it('waits, without a lease and without a lost attempt, for a router that knows its sender', async () => {
    const one = await start('one', { chains: DEFAULT_CHAINS.replace('- name: native', '- name: other') });
    await one.store.create([sampleTransaction('tx', { record: { sender: 'native' } })], clock.now());
    await tickUntil(clock, () => one.log.some(({ text }) => text.includes('is not configured')));
    await tickUntil(clock, async () => (await one.store.load('tx'))?.lease === undefined);
    expect(await one.store.load('tx')).toMatchObject({ attempts: [] });
    await start('two');
    await tickUntil(clock, () => far.deliveries.length === 1);
  });
});

describe('a router with all hands full', () => {
  it('leaves what it cannot start to the others', async () => {
    const globals = ', executor: {output: {max_inflight: 3}}';
    far.answers = (stage) => (stage === 'rcpt' ? 'hang' : undefined);
    const [one, two] = [await start('one', { globals }), await start('two', { globals })];
    const many = Array.from({ length: 10 }, (_, i) => sampleTransaction(`tx${i}`, { record: { sender: 'native' } }));
    await one.store.create(many, clock.now());
    const held = async (): Promise<number[]> =>
      Promise.all([one, two].map(async ({ store }) => (await store.leases(false)).length));
    await tickUntil(clock, async () => (await held()).join() === '3,3');
    await clock.advance(5000);
    await settle(50);
    expect(await held()).toEqual([3, 3]);
    far.answers = () => reply(250, '2.0.0', 'ok');
  });
});
