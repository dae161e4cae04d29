/** Messages that may have been delivered: after a bug that kept the answer from being heard, and after crashes, counted once each. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { RouterMeter } from '../../src/lib/core/meters.ts';
import { systemClock } from '../../src/lib/ops/clock.ts';
import { openStore } from '../../src/lib/store/open.ts';
import { BODY_BLOB, type Store } from '../../src/lib/store/store.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { eventually, FakeClock, tickUntil } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';
import { DEFAULT_CHAINS, type Harness, startRouter } from '../helpers/router-harness.ts';

const T0 = 1_000_000;

/** Senders `held` and `asked`, beside `native`, whose policy is to try again. */
const CHAINS = DEFAULT_CHAINS.replace(
  '- name: oneshot',
  `- {name: held, output_chain: deliver, retry: output_chain, uncertain: hold}
- {name: asked, output_chain: deliver, retry: output_chain, notification: output_chain, uncertain: ask}
- name: oneshot`,
);

class Doubted implements RouterMeter {
  readonly counted: string[] = [];

  accepted(): void {}

  attempt(): void {}

  uncertain(sender: string, cause: string, policy: string): void {
    this.counted.push(`${sender} ${cause} ${policy}`);
  }
}

describe.each(databases)('a message that may have been delivered, on $name,', (kind) => {
  let database: TestDatabase;
  let harness: Harness | undefined;
  let meter: Doubted;

  beforeEach(async () => {
    database = await kind.create();
    harness = undefined;
    meter = new Doubted();
  });

  afterEach(async () => {
    await harness?.stop();
    await database.drop();
  });

  const start = async (clock?: FakeClock): Promise<Harness> => {
    harness = await startRouter({ databaseUrl: database.url, chains: CHAINS, meter, ...(clock && { clock }) });
    return harness;
  };

  /** The far end has the message whole, and what reads its answer fails. */
  async function failAfterDot(sender: string): Promise<Harness & { readonly id: string }> {
    const started = await start();
    let failures = 0;
    started.far.answers = (stage, rcpt) => {
      if (stage !== 'data' || !rcpt.startsWith('bob')) return undefined;
      failures += 1;
      throw new Error('a bug');
    };
    const body = { kind: 'inline', text: 'a: b\r\n\r\nc\r\n' } as const;
    const ask = { mailFrom: mailbox('alice@example.com'), rcptTo: [mailbox('bob@example.com')], body };
    const { id } = await started.router.service.create(sender, ask);
    await tickUntil(started.clock, async () => {
      const stored = await started.store.load(id);
      return failures > 0 && stored?.lease === undefined;
    });
    return { ...started, id };
  }

  it.each(['held', 'asked'])('because of a bug, is not sent again when its sender is %s', async (sender) => {
    const { store, id } = await failAfterDot(sender);
    expect(await store.load(id)).toMatchObject({ uncertain: true });
    expect((await store.load(id))?.nextAttemptAt).toBeUndefined();
    expect(meter.counted).toEqual([`${sender} reply ${sender === 'held' ? 'hold' : 'ask'}`]);
  });

  it('because of a bug, is sent again where that is wanted', async () => {
    const { store, id } = await failAfterDot('native');
    const stored = await store.load(id);
    expect(stored).toMatchObject({ uncertain: false });
    expect(stored?.nextAttemptAt).toBeGreaterThan(0);
    expect(meter.counted).toEqual(['native reply retry']);
  });

  /** A message that was sent whole by a life that crashed then, and claimed by so many others that crashed at once. */
  async function cutOff(sender: string, crashes: number): Promise<void> {
    const clock = new FakeClock(T0);
    const log = memoryLog();
    const store: Store = await openStore({ url: database.url, clock, waits: systemClock, log, autoMigrate: true });
    await store.openSession('http://one', T0);
    const [mailFrom, rcptTo] = [mailbox('alice@example.com'), [mailbox('bob@example.com')]];
    const facts = { origin: {}, mailFrom, rcptTo, retry: true, notification: false, createdAt: T0, filterOutput: {} };
    const body = memoryBody(Buffer.from('a: b\r\n\r\nc\r\n'));
    const blobs = [{ name: BODY_BLOB, source: { kind: 'body', body } }] as const;
    const attempts = [{ number: 1, startedAt: T0, replies: { rcpt: [] } }];
    const next = { kind: 'leased' } as const;
    await store.create([{ record: { id: 'cut-off', sender, ...facts }, blobs, attempts, next }], T0);
    await store.markDotSent({ id: 'cut-off', attempt: 1, at: T0, hosts: [], replies: { rcpt: [] } });
    for (let i = 0; i < crashes; i += 1) {
      await store.closeSession();
      await store.openSession(`http://life-${i}`, T0);
      if (i > 0) expect(await store.claimDue(T0, 10)).toHaveLength(1);
    }
    await store.closeSession();
    await store.close();
  }

  it('because of a crash, is counted when it is claimed', async () => {
    await cutOff('native', 1);
    const { far, clock } = await start(new FakeClock(T0));
    await tickUntil(clock, () => far.deliveries.length > 0);
    expect(meter.counted).toEqual(['native crash retry']);
  });

  it('because of a crash, is not counted again after further crashes', async () => {
    await cutOff('native', 3);
    const { far, clock } = await start(new FakeClock(T0));
    await tickUntil(clock, () => far.deliveries.length > 0);
    expect(meter.counted).toEqual([]);
  });

  it('because of a crash, is counted once it is recorded that it waits for a decision, however often it was claimed', async () => {
    await cutOff('held', 3);
    const { store, clock } = await start(new FakeClock(T0));
    await tickUntil(clock, async () => (await store.load('cut-off'))?.uncertain === true);
    // What is recorded is seen by others before the router hears that it is.
    await eventually(() => meter.counted.length > 0);
    await clock.advance(600_000);
    expect(meter.counted).toEqual(['held crash hold']);
  });
});
