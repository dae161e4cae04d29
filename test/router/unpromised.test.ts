/** A message that is stored although its client was told that it is not: its client sends it again, and it goes out once. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { reply } from '../../src/lib/core/response.ts';
import { StoreUnavailableError } from '../../src/lib/store/store.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { settle, tickUntil } from '../helpers/fake-clock.ts';
import { type Harness, sendAs, startRouter } from '../helpers/router-harness.ts';
import { storeWith } from '../helpers/store-with.ts';

const MINUTE = 60_000;
const RCPT = 'bob@example.com';
const ONE_PLACE = ', executor: {output: {max_inflight: 1}}';

describe.each(databases)('a create whose commit was not answered, on $name', (kind) => {
  let database: TestDatabase;
  let harness: Harness;
  let mayCancel: boolean;
  let isLossy: boolean;
  /** The commit that is given up is made when the test says so. */
  let isLate: boolean;
  let late: (() => Promise<void>) | undefined;
  const created: string[] = [];

  const start = async (globals = ''): Promise<void> => {
    created.length = 0;
    mayCancel = true;
    isLossy = true;
    isLate = false;
    const wrapStore = storeWith((real) => ({
      create: async (transactions, now) => {
        const isLost = isLossy;
        isLossy = false;
        const create = async (): Promise<void> => {
          await real.create(transactions, now);
          created.push(...transactions.map(({ record }) => record.id));
        };
        if (isLost && isLate) late = create;
        else await create();
        if (isLost) throw new StoreUnavailableError('the answer was lost', { isInDoubt: true });
      },
      cancel: (id, now) => (mayCancel ? real.cancel(id, now) : Promise.reject(new StoreUnavailableError('away'))),
    }));
    harness = await startRouter({ databaseUrl: database.url, wrapStore, globals });
  };

  beforeEach(async () => {
    database = await kind.create();
  });

  afterEach(async () => {
    await harness.stop();
    await database.drop();
  });

  const outcome = async (id: string | undefined): Promise<string | undefined> =>
    (await harness.store.load(id ?? ''))?.final?.outcome;

  /** The first of the two is cancelled, the second delivered, and that is all. */
  async function isSentOnce(): Promise<void> {
    const { clock, far } = harness;
    await tickUntil(clock, async () => (await outcome(created[0])) !== undefined);
    await tickUntil(clock, async () => (await outcome(created[1])) !== undefined);
    await clock.advance(10 * MINUTE);
    await settle(30);
    expect(await Promise.all(created.map(outcome))).toEqual(['cancelled', 'delivered']);
    expect(far.deliveries).toHaveLength(1);
  }

  const ask = {
    mailFrom: mailbox('alice@example.com'),
    rcptTo: [mailbox(RCPT)],
    body: { kind: 'inline', text: 'subject: hi\r\n\r\nhello\r\n' } as const,
  };

  it('of an application goes out once', async () => {
    await start();
    const { service } = harness.router;
    await expect(service.create('native', ask)).rejects.toThrow('the answer was lost');
    await service.create('native', ask);
    await isSentOnce();
  });

  it('of an application goes out once, also when there was no place to begin it at once', async () => {
    await start(ONE_PLACE);
    const { service } = harness.router;
    isLossy = false;
    const { id } = await service.create('native', { ...ask, rcptTo: [mailbox('rcpttimeout@example.com')] });
    created.length = 0;
    isLossy = true;
    await expect(service.create('native', ask)).rejects.toThrow('the answer was lost');
    await service.create('native', ask);
    await service.cancel(id);
    await isSentOnce();
  });

  it('is made long after it was given up, and goes out once all the same', async () => {
    await start();
    const { clock, far, router } = harness;
    isLate = true;
    await expect(router.service.create('native', ask)).rejects.toThrow('the answer was lost');
    await router.service.create('native', ask);
    await clock.advance(20_000);
    await late?.();
    await clock.advance(10 * MINUTE);
    await settle(30);
    expect(await outcome(created[0])).toBe('delivered');
    expect(await outcome(created[1]), 'the one that came late').toBe('cancelled');
    expect(far.deliveries).toHaveLength(1);
  });

  it('is cancelled by a router that is stopped before it had its turn', async () => {
    await start();
    const { router, clock, far } = harness;
    await expect(router.service.create('native', ask)).rejects.toThrow('the answer was lost');
    await harness.stop();
    harness = await startRouter({ databaseUrl: database.url, clock, far, seed: 2 });
    expect(await outcome(created[0])).toBe('cancelled');
  });

  it('is not begun as long as it cannot be cancelled', async () => {
    await start();
    const { far, clock, router } = harness;
    mayCancel = false;
    await expect(router.service.create('native', ask)).rejects.toThrow('the answer was lost');
    await clock.advance(2 * MINUTE);
    await settle(30);
    expect(far.deliveries).toHaveLength(0);
    mayCancel = true;
    await tickUntil(clock, async () => (await outcome(created[0])) === 'cancelled');
    expect(far.deliveries).toHaveLength(0);
  });

  it.each(['stored', 'submission'])('of %s goes out once', async (sender) => {
    await start();
    const { far } = harness;
    far.answers = (stage) => (stage === 'data' ? reply(450, '4.2.0', 'later') : undefined);
    expect((await sendAs(harness, sender, [RCPT])).data?.code).toBe(451);
    expect((await sendAs(harness, sender, [RCPT])).data?.code).toBe(250);
    await settle(30);
    far.answers = () => undefined;
    await isSentOnce();
  });
});
