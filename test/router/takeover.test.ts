/** Routers that die and routers that take over: nothing is lost, the owner is asked, the dead are noticed. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { FakeClock, settle, tickUntil } from '../helpers/fake-clock.ts';
import { FarEnd } from '../helpers/far-end.ts';
import { gate } from '../helpers/gate.ts';
import { type Harness, sendAs, startRouter } from '../helpers/router-harness.ts';
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

describe.each(postgres)('a router on $name that is taken for dead while it reads a message', (kind) => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await kind.create();
  });

  afterEach(() => database.drop());

  it('does not send it under the session it has next', async () => {
    const clock = new FakeClock();
    const [read, reopened, answered] = [gate(), gate(), gate()];
    /** Answers a recipient late, which is when the message is asked for. */
    class LateFarEnd extends FarEnd {
      override open(ask: Parameters<FarEnd['open']>[0]): ReturnType<FarEnd['open']> {
        const exchange = super.open(ask);
        const { rcpt } = exchange;
        exchange.rcpt = (to) => answered.pass().then(() => rcpt.call(exchange, to));
        return exchange;
      }
    }
    let lives = 0;
    const slow = storeWith((real) => ({
      openBlob: (id, name) => read.pass().then(() => real.openBlob(id, name)),
      openSession: async (uri, now, terms) => {
        lives += 1;
        if (lives > 1) await reopened.pass();
        return real.openSession(uri, now, terms);
      },
    }));
    const storage = ', session_refresh_interval: 2, session_ttl: 6';
    const shared = { databaseUrl: database.url, clock, storage };
    const late = new LateFarEnd();
    const one = await startRouter({ ...shared, far: late, wrapStore: slow, sessionUri: 'http://one.example:8000' });
    late.answers = (stage) => (stage === 'rcpt' ? { code: 450, text: 'not yet' } : undefined);
    answered.open();
    await one.router.service.create('native', inlineAsk('bob@example.com'));
    await tickUntil(clock, () => read.isReached);
    late.answers = () => undefined;
    answered.close();

    // The database answers it late, and so it is declared dead, and finds out, before it has read what it has claimed.
    const far = new FarEnd();
    const two = await startRouter({ ...shared, far, sessionUri: 'http://two.example:8000', seed: 2 });
    const sessions = await two.store.sessions();
    await two.store.expireSessions(sessions.filter(({ uri }) => uri === 'http://one.example:8000'));
    await tickUntil(clock, () => reopened.isReached && far.deliveries.length > 0);
    read.open();
    await settle(30);
    reopened.open();
    await tickUntil(clock, async () => (await two.store.sessions()).length === 2);
    answered.open();
    await clock.advance(2000);
    await settle(30);

    await one.stop();
    await two.stop();
    expect(far.deliveries).toHaveLength(1);
    expect(late.deliveries).toHaveLength(0);
  });
});
