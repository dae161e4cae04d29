/** A message that cannot be stored while its client leaves: nothing of it stays behind, neither in work nor in memory. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Body, memoryBody } from '../../src/lib/core/body.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { itself } from '../../src/lib/http/caller.ts';
import { StoreUnavailableError } from '../../src/lib/store/store.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { eventually, settle, tickUntil } from '../helpers/fake-clock.ts';
import { FarEnd } from '../helpers/far-end.ts';
import { gate } from '../helpers/gate.ts';
import { type Harness, openExchange, startRouter } from '../helpers/router-harness.ts';
import { storeWith } from '../helpers/store-with.ts';

/** Knows how many still need it. */
class CountedBody {
  held = 0;
  readonly body: Body;

  constructor(text: string) {
    this.body = {
      ...memoryBody(Buffer.from(text)),
      retain: () => {
        this.held += 1;
        let isReleased = false;
        return () => {
          if (!isReleased) this.held -= 1;
          isReleased = true;
        };
      },
    };
  }
}

describe.each(databases)('an adoption that fails on $name', (kind) => {
  let database: TestDatabase;
  let harness: Harness;
  let fail: () => void;
  let adoptions: number;

  const start = async (globals = '', far = new FarEnd()): Promise<void> => {
    adoptions = 0;
    const wrapStore = storeWith(() => ({
      create: () => {
        adoptions += 1;
        return new Promise((_, reject) => {
          fail = () => reject(new StoreUnavailableError('away'));
        });
      },
    }));
    harness = await startRouter({ databaseUrl: database.url, wrapStore, globals, far });
  };

  beforeEach(async () => {
    database = await kind.create();
  });

  afterEach(async () => {
    fail();
    await harness.stop();
    await database.drop();
  });

  /** Asks for the message to be taken, until it is about to be stored. */
  async function untilAdopting(rcpt: string, { body }: CountedBody, sender = 'submission') {
    const exchange = openExchange(harness, sender);
    await exchange.mail(mailbox('alice@example.com'));
    expect((await exchange.rcpt(mailbox(rcpt))).code).toBe(250);
    const answer = exchange.data(body);
    await tickUntil(harness.clock, () => adoptions > 0);
    return { exchange, answer };
  }

  const unfinished = async (): Promise<number> => {
    const { transactions } = await harness.router.queue.list({ limit: 100 }, itself);
    return transactions.filter(({ state }) => state === 'active' || state === 'deferred').length;
  };

  it.each(['datatemp@example.com', 'datatimeout@example.com'])(
    'after its client left ends the attempt for %s',
    async (rcpt) => {
      await start();
      const message = new CountedBody('a: b\r\n\r\nc\r\n');
      const { exchange } = await untilAdopting(rcpt, message);
      await exchange.close();
      await settle(20);
      expect(await unfinished()).toBe(1);
      fail();
      await eventually(async () => (await unfinished()) === 0);
      await eventually(() => message.held === 0);
      expect(harness.far.cancelled).toBe(rcpt.startsWith('datatimeout') ? 1 : 0);
    },
  );

  it('has had the message, though its client left while an attempt was about to end', async () => {
    const ended = gate();
    /** Takes its time to say goodbye. */
    class SlowFarEnd extends FarEnd {
      override open(ask: Parameters<FarEnd['open']>[0]): ReturnType<FarEnd['open']> {
        const exchange = super.open(ask);
        const { close } = exchange;
        exchange.close = () => ended.pass().then(() => close.call(exchange));
        return exchange;
      }
    }
    await start('', new SlowFarEnd());
    const message = harness.spool.hold(memoryBody(Buffer.from('a: b\r\n\r\nc\r\n')));
    const exchange = openExchange(harness, 'submission');
    await exchange.mail(mailbox('alice@example.com'));
    await exchange.rcpt(mailbox('datatemp@example.com'));
    void exchange.data(message as Body);
    await eventually(() => ended.isReached);
    await settle(20);
    await exchange.close();
    message?.release();
    expect(adoptions).toBe(0);
    ended.open();
    await eventually(() => adoptions > 0);
    fail();
    await eventually(async () => (await unfinished()) === 0);
    await eventually(() => harness.spool.inMemoryBytes === 0);
  });

  it('leaves nothing in work when there is no message any more', async () => {
    await start();
    const message = new CountedBody('a: b\r\n\r\nc\r\n');
    const exchange = openExchange(harness, 'submission');
    await exchange.mail(mailbox('alice@example.com'));
    expect((await exchange.rcpt(mailbox('datatimeout@example.com'))).code).toBe(250);
    const answer = exchange.data(message.body);
    await settle(20);
    Object.assign(message.body, {
      retain: () => {
        throw new Error('nobody holds it');
      },
    });
    let isAnswered = false;
    void answer.then(() => {
      isAnswered = true;
    });
    await tickUntil(harness.clock, () => isAnswered);
    expect((await answer).code).toBe(451);
    await exchange.close();
    await eventually(async () => (await unfinished()) === 0);
    fail = () => undefined;
  });

  it('gives back the memory of a message that was to be tried later', async () => {
    // One place, which somebody has.
    await start(', executor: {output: {max_inflight: 1}}');
    const taken = openExchange(harness, 'submission');
    await taken.mail(mailbox('alice@example.com'));
    void taken.rcpt(mailbox('rcpttimeout@example.com'));
    await settle(20);
    const message = new CountedBody('a: b\r\n\r\nc\r\n');
    const { exchange, answer } = await untilAdopting('bob@example.com', message);
    fail();
    expect((await answer).code).toBe(451);
    await exchange.close();
    await eventually(() => message.held === 0);
    await taken.close();
  });
});
