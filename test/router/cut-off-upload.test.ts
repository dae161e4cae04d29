/** An upload that a crash of the router cut off: its client goes on where it was, and what nobody goes on with is collected. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { UploadAsk } from '../../src/lib/http/service.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { FakeClock, settle, tickUntil } from '../helpers/fake-clock.ts';
import { type Harness, startRouter } from '../helpers/router-harness.ts';

const piece = (text: string, offset: number, total?: number): UploadAsk => ({
  offset,
  whole: false,
  ...(total !== undefined && { total }),
  bytes: (async function* () {
    yield Buffer.from(text);
  })(),
});

describe.each(databases)('an upload that was cut off on $name', (kind) => {
  let database: TestDatabase;
  let running: Harness | undefined;

  beforeEach(async () => {
    database = await kind.create();
  });

  afterEach(async () => {
    await running?.stop();
    await database.drop();
  });

  /** A router that has the first half of a message, and is killed: its session ends without a word. */
  async function halfOf(clock: FakeClock): Promise<string> {
    const first = await startRouter({ databaseUrl: database.url, clock });
    const ask = { mailFrom: mailbox('alice@example.com'), rcptTo: [mailbox('bob@example.com')] };
    const { id } = await first.router.service.create('native', ask);
    await first.router.service.upload(id, undefined, piece('a: b\r\n', 0));
    await settle(20);
    await first.store.expireSessions(await first.store.sessions());
    await first.stop();
    return id;
  }

  const restart = async (clock: FakeClock): Promise<Harness> => {
    running = await startRouter({ databaseUrl: database.url, clock, seed: 2 });
    return running;
  };

  it('is continued at the next router, and delivered', async () => {
    const clock = new FakeClock();
    const id = await halfOf(clock);
    const { router, far, store } = await restart(clock);
    expect(await store.load(id)).toMatchObject({ inputDone: false });
    // Where to go on is what the client hears when it does not know.
    await expect(router.service.upload(id, undefined, piece('x', 99))).rejects.toMatchObject({
      progress: { length: 6 },
    });
    await router.service.upload(id, undefined, piece('\r\nc\r\n', 6, 11));
    await tickUntil(clock, () => far.deliveries.length > 0);
    expect(far.deliveries.map(({ body }) => body)).toEqual(['a: b\r\n\r\nc\r\n']);
  });

  it('is collected with what it left when nobody has continued it for the time that finished ones are kept', async () => {
    const clock = new FakeClock();
    const id = await halfOf(clock);
    const { store } = await restart(clock);
    const day = 86_400_000;
    await store.collectGarbage(clock.now() - day, 100);
    expect(await store.load(id)).toBeDefined();
    await store.collectGarbage(clock.now() + 1, 100);
    expect(await store.load(id)).toBeUndefined();
  });
});
