/** Routers that die and routers that take over: nothing is lost, the owner is asked, the dead are noticed. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { Store } from '../../src/lib/store/store.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { eventually, FakeClock, settle, tickUntil } from '../helpers/fake-clock.ts';
import { FarEnd } from '../helpers/far-end.ts';
import { type Gate, gate } from '../helpers/gate.ts';
import { type Harness, type HarnessOptions, sendAs, startRouter } from '../helpers/router-harness.ts';
import { storeWith } from '../helpers/store-with.ts';

const never = new AbortController().signal;
const inlineAsk = (rcpt: string) => ({
  mailFrom: mailbox('alice@example.com'),
  rcptTo: [mailbox(rcpt)],
  body: { kind: 'inline', text: 'x: y\r\n\r\nz\r\n' } as const,
});

describe.each(databases)('a router that comes back on $name', (kind) => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await kind.create();
  });

  afterEach(() => database.drop());

  it('delivers after a stop what was in work when it stopped', async () => {
    const far = new FarEnd();
    far.answers = () => 'hang';
    const first = await startRouter({ databaseUrl: database.url, far });
    await first.router.service.create('native', inlineAsk('bob@example.com'));
    await settle(20);
    await first.stop();
    far.answers = () => undefined;
    const second = await startRouter({ databaseUrl: database.url, far, seed: 2 });
    await tickUntil(second.clock, () => far.deliveries.length > 0);
    await second.stop();
    expect(far.deliveries).toHaveLength(1);
  });

  it('keeps what it answered 250 for across a stop', async () => {
    const far = new FarEnd();
    const first = await startRouter({ databaseUrl: database.url, far });
    expect((await sendAs(first, 'submission', ['datatemp@example.com'])).data?.code).toBe(250);
    await first.stop();
    far.answers = () => ({ code: 250, text: 'ok' });
    const second = await startRouter({ databaseUrl: database.url, far, seed: 2 });
    await tickUntil(second.clock, () => far.deliveries.length > 0);
    const [delivery] = far.deliveries;
    expect(delivery?.body).toContain('hello');
    await second.stop();
  });
});

const postgres = databases.filter(({ name }) => name === 'postgres');

describe.each(postgres)('two routers on one $name', (kind) => {
  let database: TestDatabase;
  const clock = new FakeClock();
  let one: Harness;
  let two: Harness;
  const far = new FarEnd();

  beforeEach(async () => {
    database = await kind.create();
    const storage = ', session_refresh_interval: 2, session_ttl: 6';
    one = await startRouter({ databaseUrl: database.url, clock, far, storage, sessionUri: 'http://one.example:8000' });
    two = await startRouter({
      databaseUrl: database.url,
      clock,
      far,
      storage,
      sessionUri: 'http://two.example:8000',
      seed: 2,
    });
  });

  afterEach(async () => {
    await one.stop();
    await two.stop();
    await database.drop();
  });

  it('redirect a client to the one that has the transaction in work', async () => {
    const { id } = await one.router.service.create('native', inlineAsk('rcpttimeout@example.com'));
    await expect(two.router.service.read(id, undefined, never)).rejects.toMatchObject({
      baseUri: 'http://one.example:8000',
    });
    await expect(two.router.service.heartbeat(id)).rejects.toMatchObject({ baseUri: 'http://one.example:8000' });
  });

  it('take over from one that died, and deliver once', async () => {
    far.answers = () => 'hang';
    const { id } = await one.router.service.create('native', inlineAsk('bob@example.com'));
    await settle(20);
    // Its session is not refreshed any more: as after a crash.
    const sessions = await one.store.sessions();
    await one.store.expireSessions(sessions.filter(({ id }) => id === one.store.sessionId));
    far.answers = () => undefined;
    await tickUntil(clock, () => far.deliveries.length > 0);
    const view = await two.router.service
      .read(id, undefined, never)
      .catch(() => one.router.service.read(id, undefined, never));
    expect(view?.state.final?.outcome ?? 'delivered').toBe('delivered');
    expect(far.deliveries).toHaveLength(1);
  });
});

/** Holds whoever asks about a recipient, and whoever sends a message, until they may pass. */
class GatedFarEnd extends FarEnd {
  readonly recipient = gate();
  readonly message = gate();

  override open(ask: Parameters<FarEnd['open']>[0]): ReturnType<FarEnd['open']> {
    const exchange = super.open(ask);
    const { rcpt, data } = exchange;
    exchange.rcpt = (to) => this.recipient.pass().then(() => rcpt.call(exchange, to));
    exchange.data = (body) => this.message.pass().then(() => data.call(exchange, body));
    return exchange;
  }
}

const ONE = 'http://one.example:8000';

/** A store whose second session is opened when it may be. */
function reopensAt(reopened: Gate): (store: Store) => Store {
  let lives = 0;
  return storeWith((real) => ({
    openSession: async (uri, now, terms) => {
      lives += 1;
      if (lives > 1) await reopened.pass();
      return real.openSession(uri, now, terms);
    },
  }));
}

describe.each(postgres)('a router on $name that is taken for dead', (kind) => {
  let database: TestDatabase;
  const clock = new FakeClock();
  let late: GatedFarEnd;
  let far: FarEnd;
  let started: Harness[];

  const start = async (options: Pick<HarnessOptions, 'far' | 'wrapStore' | 'sessionUri' | 'seed'>) => {
    const storage = ', session_refresh_interval: 2, session_ttl: 6';
    const harness = await startRouter({ databaseUrl: database.url, clock, storage, ...options });
    started.push(harness);
    return harness;
  };

  /** Another router does what this one was about to do. */
  const takeOver = async (): Promise<Harness> => {
    const two = await start({ far, sessionUri: 'http://two.example:8000', seed: 2 });
    const sessions = await two.store.sessions();
    await two.store.expireSessions(sessions.filter(({ uri }) => uri === ONE));
    return two;
  };

  /** The one that was taken for dead knows it, and has another session. */
  const untilReopened = ({ store }: Harness): Promise<void> =>
    tickUntil(clock, async () => (await store.sessions()).some(({ uri }) => uri === ONE));

  beforeEach(async () => {
    database = await kind.create();
    late = new GatedFarEnd();
    far = new FarEnd();
    started = [];
  });

  afterEach(async () => {
    for (const harness of started) await harness.stop();
    await database.drop();
  });

  it('does not send under its next session what it was reading then', async () => {
    const [read, reopened] = [gate(), gate()];
    let hasRead = false;
    const slow = storeWith((real) => ({
      openBlob: async (id, name) => {
        await read.pass();
        const body = await real.openBlob(id, name);
        hasRead = true;
        return body;
      },
    }));
    const wrapStore = (store: Store): Store => slow(reopensAt(reopened)(store));
    const one = await start({ far: late, wrapStore, sessionUri: ONE });
    late.answers = () => ({ code: 450, text: 'not yet' });
    late.recipient.open();
    await one.router.service.create('native', inlineAsk('bob@example.com'));
    await tickUntil(clock, () => read.isReached);
    late.answers = () => undefined;
    late.recipient.close();

    const two = await takeOver();
    await tickUntil(clock, () => reopened.isReached && far.deliveries.length > 0);
    read.open();
    await eventually(() => hasRead);
    await settle(30);
    reopened.open();
    await untilReopened(two);
    late.recipient.open();
    late.message.open();
    await clock.advance(2000);
    await settle(30);
    expect(far.deliveries).toHaveLength(1);
    expect(late.deliveries).toHaveLength(0);
  });

  it('does not send under its next session the end of what was on its way then', async () => {
    // The other one is to be faster: this one would wait for the end of what is on its way, which here does not come.
    const reopened = gate();
    const one = await start({ far: late, wrapStore: reopensAt(reopened), sessionUri: ONE });
    late.recipient.open();
    await one.router.service.create('native', inlineAsk('bob@example.com'));
    await tickUntil(clock, () => late.message.isReached);

    const two = await takeOver();
    await tickUntil(clock, () => far.deliveries.length > 0);
    reopened.open();
    await untilReopened(two);
    late.message.open();
    await clock.advance(2000);
    await settle(30);
    expect(far.deliveries).toHaveLength(1);
    expect(late.deliveries).toHaveLength(0);
  });
});
