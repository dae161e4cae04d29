/** Notifications through crashes and stores in trouble: each once, none lost, and no outcome that waits for one. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import { type Store, StoreUnavailableError } from '../../src/lib/store/store.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { BODY, boxOf, dsnsAt, sendDsnMail } from '../helpers/dsn-mail.ts';
import { eventually, FakeClock, settle, tickUntil } from '../helpers/fake-clock.ts';
import { FarEnd } from '../helpers/far-end.ts';
import { gate } from '../helpers/gate.ts';
import { type Harness, startRouter } from '../helpers/router-harness.ts';
import { storeWith } from '../helpers/store-with.ts';

const MINUTE = 60_000;
const failing = {
  mailFrom: boxOf('alice@a.test'),
  rcptTo: [boxOf('dataperm@b.test')],
  body: { kind: 'inline', text: BODY } as const,
};

describe.each(databases)('notifications when things break, on $name', (kind) => {
  let database: TestDatabase;
  const running: Harness[] = [];
  let far: FarEnd;
  let clock: FakeClock;

  beforeEach(async () => {
    database = await kind.create();
    far = new FarEnd();
    clock = new FakeClock();
  });

  afterEach(async () => {
    for (const harness of running.splice(0)) await harness.stop();
    await database.drop();
  });

  async function start(calls: (real: Store) => Partial<Store> = () => ({}), time = clock): Promise<Harness> {
    const options = { databaseUrl: database.url, far, clock: time, seed: running.length + 1 };
    const harness = await startRouter({ ...options, wrapStore: storeWith(calls) });
    running.push(harness);
    return harness;
  }

  it.each(['before', 'after'])(
    'a router that dies %s the commit of a failure leaves one notification',
    async (moment) => {
      const mayGoOn = gate();
      const first = await start((real) => ({
        recordOutcome: async (...args) => {
          if (moment === 'after') await real.recordOutcome(...args);
          await mayGoOn.pass();
          if (moment === 'before') await real.recordOutcome(...args);
        },
      }));
      const { id } = await first.router.service.create('native', failing);
      await eventually(() => mayGoOn.isReached);
      // The next one under the same name: the first is dead, though it does not know. Its time stands still meanwhile: two that live would end
      // each other's sessions, for this time is faster than their database.
      const second = await start(undefined, new FakeClock());
      await tickUntil(second.clock, () => dsnsAt(second).length > 0);
      await second.clock.advance(10 * MINUTE);
      mayGoOn.open();
      await clock.advance(10 * MINUTE);
      expect(dsnsAt(second)).toHaveLength(1);
      expect((await second.store.load(id))?.final?.outcome).toBe('failed');
    },
  );

  it('a router that stops between the outcome and its notification has the next one send it', async () => {
    far.answers = (stage, rcpt) =>
      stage === 'rcpt' && rcpt === 'alice@a.test' ? reply(451, '4.3.0', 'not now') : undefined;
    const first = await start();
    const { id } = await first.router.service.create('native', failing);
    await eventually(async () => (await first.store.load(id))?.final !== undefined);
    await running.pop()?.stop();
    far.answers = () => undefined;
    const second = await start();
    await tickUntil(clock, () => dsnsAt(second).length > 0);
    await clock.advance(10 * MINUTE);
    expect(dsnsAt(second)).toHaveLength(1);
  });

  it('an outcome that is committed at the third try has one notification', async () => {
    let tries = 0;
    const harness = await start((real) => ({
      recordOutcome: (...args) => {
        tries += 1;
        return tries < 3 ? Promise.reject(new StoreUnavailableError('away')) : real.recordOutcome(...args);
      },
    }));
    await harness.router.service.create('native', failing);
    await tickUntil(clock, () => dsnsAt(harness).length > 0);
    await clock.advance(10 * MINUTE);
    expect(dsnsAt(harness)).toHaveLength(1);
  });

  it('a store that takes writes and does not give the message back gets the outcome without it', async () => {
    far.answers = (stage, rcpt) =>
      stage === 'rcpt' && rcpt === 'late@b.test' ? reply(450, '4.2.0', 'later') : undefined;
    let isBroken = false;
    const harness = await start((real) => ({
      openBlob: async (...args) => {
        const body = await real.openBlob(...args);
        const chunks = (): never => {
          throw new StoreUnavailableError('cannot read');
        };
        return isBroken && body !== undefined && args[0] === id ? { ...body, chunks } : body;
      },
    }));
    const { id } = await harness.router.service.create('native', { ...failing, rcptTo: [boxOf('late@b.test')] });
    await eventually(async () => (await harness.store.load(id))?.nextAttemptAt !== undefined);
    isBroken = true;
    far.answers = (stage, rcpt) =>
      stage === 'rcpt' && rcpt === 'late@b.test' ? reply(550, '5.1.1', 'gone') : undefined;
    await tickUntil(clock, () => dsnsAt(harness).length > 0);
    expect(dsnsAt(harness)[0]?.shape).toBe('report(text/plain,message/delivery-status)');
    expect((await harness.store.load(id))?.final?.outcome).toBe('failed');
  });

  // The longer one came in before there was a limit, and is more than an index takes.
  it.each(['x'.repeat(1000), randomBytes(5000).toString('base64url'), 'яшќ'.repeat(1000)])(
    'an address that fits into no header is not told, and the outcome is recorded',
    async (localPart) => {
      const harness = await start();
      const mailFrom = boxOf(`${localPart}@a.test`);
      const { id } = await harness.router.service.create('native', { ...failing, mailFrom });
      await eventually(async () => (await harness.store.load(id))?.final !== undefined);
      expect(harness.log.some(({ text }) => text === 'a notification could not be written')).toBe(true);
      await clock.advance(MINUTE);
      expect(far.deliveries).toEqual([]);
    },
  );

  it('a success is reported although the store is away when the far end takes the message, and the client is not kept', async () => {
    let isAway = true;
    const harness = await start((real) => ({
      create: (...args) => (isAway ? Promise.reject(new StoreUnavailableError('away')) : real.create(...args)),
    }));
    let code: number | undefined;
    void sendDsnMail(harness, 'ingress', { rcpts: ['bob@b.test NOTIFY=SUCCESS'] }).then((data) => {
      code = data?.code;
    });
    await settle(20);
    expect(code).toBeUndefined();
    await clock.advance(2500);
    expect(code).toBe(250);
    isAway = false;
    await tickUntil(clock, () => dsnsAt(harness).length > 0);
    await clock.advance(10 * MINUTE);
    expect(dsnsAt(harness).map(({ recipient }) => recipient.action)).toEqual(['relayed']);
  });

  it('a report that was committed although its commit failed to say so is one report', async () => {
    let isFirst = true;
    const harness = await start((real) => ({
      create: async (...args) => {
        await real.create(...args);
        if (isFirst) {
          isFirst = false;
          throw new StoreUnavailableError('the answer was lost');
        }
      },
    }));
    const sent = sendDsnMail(harness, 'ingress', { rcpts: ['bob@b.test NOTIFY=SUCCESS'] });
    await tickUntil(clock, () => dsnsAt(harness).length > 0);
    expect((await sent)?.code).toBe(250);
    await clock.advance(10 * MINUTE);
    expect(dsnsAt(harness)).toHaveLength(1);
  });

  it('a success that comes while the message is being adopted is reported once', async () => {
    let answer: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const original = far.open.bind(far);
    far.open = (ask) => {
      const exchange = original(ask);
      return {
        ...exchange,
        mail: (b) => exchange.mail(b),
        rcpt: (b) => exchange.rcpt(b),
        close: () => exchange.close(),
        data: async (body) => {
          if (far.deliveries.length === 0) await slow;
          return exchange.data(body);
        },
      };
    };
    const harness = await start((real) => ({
      create: async (...args) => {
        answer();
        await settle(20);
        await real.create(...args);
      },
    }));
    const sent = sendDsnMail(harness, 'submission', { rcpts: ['bob@b.test NOTIFY=SUCCESS'] });
    // The client is not kept longer than twenty seconds: the message is stored, and at that moment the far end takes it.
    await tickUntil(clock, () => far.deliveries.length > 0);
    expect((await sent)?.text).toContain('store&forward');
    await clock.advance(10 * MINUTE);
    expect(far.deliveries).toHaveLength(2);
    expect(dsnsAt(harness)).toHaveLength(1);
  });
});
