/** Routers that die and routers that take over: nothing is lost, the owner is asked, the dead are noticed. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { FakeClock, settle, tickUntil } from '../helpers/fake-clock.ts';
import { FarEnd } from '../helpers/far-end.ts';
import { type Harness, sendAs, startRouter } from '../helpers/router-harness.ts';

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
