/** An outcome that is recorded although nobody hears so: its transaction may fall due, and be claimed, while its router still tries to record it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import { type Store, StoreUnavailableError } from '../../src/lib/store/store.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { boxOf } from '../helpers/dsn-mail.ts';
import { eventually, settle, tickUntil } from '../helpers/fake-clock.ts';
import { gate } from '../helpers/gate.ts';
import { type Harness, startRouter } from '../helpers/router-harness.ts';
import { storeWith } from '../helpers/store-with.ts';

const MINUTE = 60_000;

describe.each(databases)('an outcome whose commit was not answered, on $name', (kind) => {
  let database: TestDatabase;
  let harness: Harness | undefined;

  beforeEach(async () => {
    database = await kind.create();
  });

  afterEach(async () => {
    await harness?.stop();
    await database.drop();
  });

  const ask = {
    mailFrom: boxOf('alice@example.com'),
    rcptTo: [boxOf('bob@example.com')],
    body: { kind: 'inline', text: 'subject: hi\r\n\r\nhello\r\n' },
  } as const;

  /** Deferred, and then delivered by the one attempt that came after it. */
  async function isSentOnce(id: string): Promise<void> {
    const { far, clock, store } = harness as Harness;
    await tickUntil(clock, () => far.deliveries.length > 0);
    await clock.advance(10 * MINUTE);
    expect(far.deliveries).toHaveLength(1);
    const stored = await store.load(id);
    expect(stored?.final?.outcome).toBe('delivered');
    expect(
      stored?.attempts.map(({ replies }) => replies.data?.code),
      'an attempt that was not made counts',
    ).toEqual([undefined, 250]);
  }

  it('does not have the message sent twice, however late the store answers what it is asked meanwhile', async () => {
    const [mayRecord, mayRead] = [gate(), gate()];
    let [records, isAway, isSlow] = [0, false, false];
    let store: Store | undefined;
    const wrapStore = storeWith((real) => {
      store = real;
      return {
        recordOutcome: async (...args) => {
          if (isAway) throw new StoreUnavailableError('away');
          if (isSlow) await mayRecord.pass();
          records += 1;
          const isFirst = records === 1;
          if (isFirst) isAway = true;
          await real.recordOutcome(...args);
          if (isFirst) throw new StoreUnavailableError('the answer was lost');
        },
        load: async (id) => {
          if (isAway) throw new StoreUnavailableError('away');
          const stored = await real.load(id);
          if (isSlow) await mayRead.pass();
          return stored;
        },
      };
    });
    harness = await startRouter({ databaseUrl: database.url, wrapStore });
    const { router, far, clock } = harness;
    far.answers = (stage) => (stage === 'rcpt' ? reply(450, '4.2.0', 'later') : undefined);
    const { id } = await router.service.create('native', ask);
    // It is due again, and claimed, and for its router the first attempt is still not over.
    await tickUntil(clock, async () => (await store?.load(id))?.attempts.length === 2);
    far.answers = () => undefined;
    [isSlow, isAway] = [true, false];
    await clock.advance(6000);
    await settle(50);
    mayRecord.open();
    await settle(200);
    isSlow = false;
    mayRead.open();
    await isSentOnce(id);
  });

  it('does not have it sent twice when the server makes the commit long after it was given up, and the next attempt is claimed then', async () => {
    const mayCommit = gate();
    let [records, hasCommitted] = [0, false];
    let store: Store | undefined;
    let late: Promise<void> | undefined;
    const wrapStore = storeWith((real) => {
      store = real;
      return {
        recordOutcome: async (...args) => {
          records += 1;
          if (records === 1) {
            late = mayCommit.pass().then(() => real.recordOutcome(...args));
            throw new StoreUnavailableError('no answer');
          }
          if (records === 2) {
            mayCommit.open();
            await late;
            hasCommitted = true;
            await eventually(async () => (await real.load(args[0].id))?.attempts.length === 2);
          }
          await real.recordOutcome(...args);
        },
      };
    });
    harness = await startRouter({ databaseUrl: database.url, wrapStore });
    const { router, far, clock } = harness;
    far.answers = (stage) => (stage === 'rcpt' ? reply(450, '4.2.0', 'later') : undefined);
    const { id } = await router.service.create('native', ask);
    await tickUntil(clock, () => hasCommitted);
    far.answers = () => undefined;
    await tickUntil(clock, async () => (await store?.load(id))?.attempts.length === 2);
    await isSentOnce(id);
  });
});
