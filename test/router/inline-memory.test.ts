/** Messages that come over REST, inside the JSON of a create, and whose far end takes its time: how much of them lies in memory is bounded. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import type { HopAsk } from '../../src/lib/core/hop.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { BodyAsk } from '../../src/lib/http/service.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { settle } from '../helpers/fake-clock.ts';
import { FarEnd } from '../helpers/far-end.ts';
import { type Harness, startRouter } from '../helpers/router-harness.ts';

const KB = 1024;

/** Says nothing, to anybody, until it is told to; then it takes everything. */
class SilentFarEnd extends FarEnd {
  readonly #speaks: Promise<void>;
  speak: () => void = () => undefined;

  constructor() {
    super();
    this.#speaks = new Promise((resolve) => {
      this.speak = resolve;
    });
  }

  override open(ask: HopAsk): Exchange {
    const exchange = super.open(ask);
    return {
      mail: (from) => this.#speaks.then(() => exchange.mail(from)),
      rcpt: (to) => exchange.rcpt(to),
      data: (body) => exchange.data(body),
      close: () => exchange.close(),
    };
  }
}

/** No two have a line in common. */
function textOf(i: number, sizeBytes: number): string {
  const lines: string[] = [];
  for (let size = 0; size < sizeBytes; size += lines.at(-1)?.length ?? 0)
    lines.push(`message ${i}, line ${lines.length} ${'x'.repeat(60)}\r\n`);
  return lines.join('');
}

const inline = (i: number, sizeBytes: number): BodyAsk => ({
  kind: 'inline',
  text: `Subject: ${i}\r\n\r\n${textOf(i, sizeBytes)}`,
});

const builder = (i: number, sizeBytes: number): BodyAsk => ({
  kind: 'builder',
  spec: {
    headers: [['subject', `${i}`]],
    text_body: [{ content_type: 'text/plain', content: { inline: textOf(i, sizeBytes) } }],
  },
});

describe.each(databases)('messages inside of JSON ($name)', (kind) => {
  let database: TestDatabase;
  let far: SilentFarEnd;
  let router: Harness;

  const start = async (inMemoryBytes: number): Promise<void> => {
    router = await startRouter({ databaseUrl: database.url, far, inMemoryBytes });
  };

  const create = (i: number, body: BodyAsk) =>
    router.router.service.create('oneshot', {
      mailFrom: mailbox('alice@example.com'),
      rcptTo: [mailbox(`bob${i}@example.com`)],
      body,
    });

  beforeEach(async () => {
    database = await kind.create();
    far = new SilentFarEnd();
  });

  afterEach(async () => {
    far.speak();
    await router.stop();
    await database.drop();
  });

  it('are in memory as long as there is room; beyond that they wait where they are stored, and all arrive as they were sent', async () => {
    await start(KB * KB);
    const sizes = Array.from({ length: 30 }, (_, i) => [1, 40, 200, 300, 700][i % 5] as number);
    for (const [i, size] of sizes.entries()) {
      await create(i, inline(i, size * KB));
      expect(router.spool.inMemoryBytes).toBeLessThanOrEqual(KB * KB);
    }
    expect(router.spool.inMemoryBytes).toBeGreaterThan(KB * KB - 50 * KB);
    expect(far.asks).toHaveLength(sizes.length);
    far.speak();
    await far.received(sizes.length);
    for (const [i, size] of sizes.entries()) {
      const { body } = far.deliveries.find(({ rcptTo }) => rcptTo[0] === `bob${i}@example.com`) ?? {};
      expect(body === (inline(i, size * KB) as { readonly text: string }).text, `message ${i}`).toBe(true);
    }
    while (router.spool.inMemoryBytes > 0) await settle();
  });

  it('are counted by their parts where a message is made of them', async () => {
    await start(KB * KB);
    for (let i = 0; i < 8; i += 1) {
      await create(i, builder(i, 300 * KB));
      expect(router.spool.inMemoryBytes).toBeLessThanOrEqual(KB * KB);
    }
    expect(router.spool.inMemoryBytes).toBeGreaterThan(900 * KB);
    far.speak();
    await far.received(8);
    for (let i = 0; i < 8; i += 1) {
      const { body = '' } = far.deliveries.find(({ rcptTo }) => rcptTo[0] === `bob${i}@example.com`) ?? {};
      const content = Buffer.from(body.slice(body.indexOf('\r\n\r\n')), 'base64');
      expect(content.toString() === textOf(i, 300 * KB), `message ${i}`).toBe(true);
    }
    while (router.spool.inMemoryBytes > 0) await settle();
  });

  it('go to a file where there is no room and nothing is stored: a conversation', async () => {
    await start(KB * KB);
    const of = (i: number): BodyAsk => inline(i, 400 * KB);
    for (let i = 0; i < 5; i += 1) {
      const rcptTo = [mailbox(`bob${i}@example.com`)];
      await router.router.service.create('ingress', { mailFrom: mailbox('alice@example.com'), rcptTo, body: of(i) });
    }
    expect(router.spool.inMemoryBytes).toBeGreaterThan(800 * KB);
    expect(router.spool.inMemoryBytes).toBeLessThanOrEqual(KB * KB);
    expect(router.spool.sizeBytes).toBeGreaterThan(1200 * KB);
    far.speak();
    await far.received(5);
    for (const { rcptTo, body } of far.deliveries) {
      const i = Number(/\d+/.exec(rcptTo[0] ?? ''));
      expect(body === (of(i) as { readonly text: string }).text, `message ${i}`).toBe(true);
    }
    while (router.spool.inMemoryBytes + router.spool.sizeBytes > 0) await settle();
  });

  it('need not ask when they are small', async () => {
    await start(0);
    await create(1, inline(1, 10 * KB));
    await create(2, inline(2, 20 * KB));
    expect(router.spool.inMemoryBytes).toBe(0);
    far.speak();
    await far.received(2);
  });

  it('count no longer when their client has cancelled', async () => {
    await start(KB * KB);
    const { id } = await create(1, inline(1, 500 * KB));
    expect(router.spool.inMemoryBytes).toBeGreaterThan(500 * KB);
    await router.router.service.cancel(id);
    while (router.spool.inMemoryBytes > 0) await settle();
  });
});
