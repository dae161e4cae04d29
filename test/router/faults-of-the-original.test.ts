/** Faults the original Koukan was observed to have that cannot happen here. `docs/faults.md` lists all of them with the test that shows each. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { CreateAsk } from '../../src/lib/http/service.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { eventually, tickUntil } from '../helpers/fake-clock.ts';
import { DEFAULT_CHAINS, type Harness, openExchange, sendAs, startRouter } from '../helpers/router-harness.ts';

const [sqlite] = databases;
const never = new AbortController().signal;

async function* bytesOf(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

const native = (rcpt: string, body?: CreateAsk['body']): CreateAsk => ({
  mailFrom: mailbox('alice@example.com'),
  rcptTo: [mailbox(rcpt)],
  ...(body && { body }),
});

describe('what went wrong in the original', () => {
  let database: TestDatabase;
  let harness: Harness;

  async function restart(chains: string): Promise<void> {
    await harness.stop();
    harness = await startRouter({ databaseUrl: database.url, chains });
  }

  beforeEach(async () => {
    database = await (sqlite as (typeof databases)[number]).create();
    harness = await startRouter({ databaseUrl: database.url });
  });

  afterEach(async () => {
    await harness.stop();
    await database.drop();
  });

  it('1: a client slow between RCPT and DATA is still answered truthfully, and its message is retried', async () => {
    const exchange = openExchange(harness, 'submission');
    await exchange.mail(mailbox('alice@example.com'));
    await exchange.rcpt(mailbox('datatemp@example.com'));
    await harness.clock.advance(600_000);
    expect((await exchange.data(memoryBody(Buffer.from('a: b\r\n\r\nc\r\n')))).code).toBe(250);
    await exchange.close();
    harness.far.answers = () => ({ code: 250, text: 'ok' });
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 1);
  });

  it('4: a dozen creates that never upload keep nobody else waiting', async () => {
    await harness.stop();
    harness = await startRouter({ databaseUrl: database.url, globals: ', executor: {output: {max_inflight: 3}}' });
    const { service } = harness.router;
    const stuck = await Promise.all(
      Array.from({ length: 12 }, (_, i) => service.create('native', native(`s${i}@example.com`))),
    );
    for (const { id } of stuck) expect(await service.read(id, undefined, never)).toBeDefined();
    await service.create('native', native('bob@example.com', { kind: 'inline', text: 'x\r\n' }));
    await tickUntil(harness.clock, () => harness.far.deliveries.length > 0);
    expect(harness.far.deliveries[0]?.rcptTo).toEqual(['bob@example.com']);
  });

  it('5: a destination that refuses connections is a temporary failure, for ingress as for submission', async () => {
    harness.far.answers = (stage) =>
      stage === 'mail' ? { code: 450, enhanced: '4.4.1', text: 'connection refused' } : undefined;
    expect((await sendAs(harness, 'ingress', ['bob@example.com'])).rcpts[0]?.code).toBe(450);
    expect((await sendAs(harness, 'submission', ['bob@example.com'])).data?.code).toBe(250);
    harness.far.answers = () => undefined;
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 1);
  });

  it('7: without a way to bounce, a permanent failure among several is answered, not hidden behind a 250', async () => {
    await restart(DEFAULT_CHAINS.replace('    notification: {sender: bounces}\n', ''));
    const verdict = await sendAs(harness, 'ingress', ['bob@example.com', 'dataperm@example.com']);
    expect(verdict.data?.code).toBe(550);
  });

  it('8: a bounce that fails temporarily is retried', async () => {
    let attempts = 0;
    harness.far.answers = (stage, rcpt) => {
      if (stage !== 'data' || rcpt !== 'alice@example.com') return undefined;
      attempts += 1;
      return attempts === 1 ? { code: 451, enhanced: '4.3.0', text: 'not now' } : undefined;
    };
    await sendAs(harness, 'ingress', ['bob@example.com', 'dataperm@example.com']);
    await eventually(() => attempts === 1);
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 2);
    const bounces = harness.far.deliveries.filter(({ mailFrom }) => mailFrom === '');
    expect(bounces).toHaveLength(1);
  });

  it.each([
    ['no header at all', 'hello\r\n'],
    ['a broken From', 'From: <a@\r\nDate: nonsense\r\n\r\nx\r\n'],
    ['a date in -0000', 'Date: Thu, 1 Jan 1970 00:00:00 -0000\r\n\r\nx\r\n'],
    ['an empty Date', 'Date:\r\n\r\nx\r\n'],
    ['a multipart without parts', 'Content-Type: multipart/mixed; boundary=x\r\n\r\n'],
    ['an unknown charset', 'Content-Type: text/plain; charset=x-none\r\n\r\n\xff\xfe\r\n'],
    ['a line without colon on top', 'no colon here\r\nSubject: x\r\n\r\nx\r\n'],
    ['nothing', ''],
  ])('10: a message with %s goes through as it is, and its bounce can be written', async (_, text) => {
    const verdict = await sendAs(harness, 'ingress', ['bob@example.com', 'dataperm@example.com'], text);
    expect(verdict.data?.code).toBe(250);
    const deliveries = await harness.far.received(2);
    expect(deliveries.find(({ rcptTo }) => rcptTo[0] === 'bob@example.com')?.body).toBe(
      Buffer.from(text).toString('latin1'),
    );
    expect(deliveries.some(({ mailFrom }) => mailFrom === '')).toBe(true);
  });

  it('11a: a sender that retries through a chain without retry_params pauses between attempts, and gives up', async () => {
    await restart(DEFAULT_CHAINS.replace(/ {4}retry_params: .*\n/, ''));
    await harness.router.service.create('native', native('datatemp@example.com', { kind: 'inline', text: 'x\r\n' }));
    await harness.clock.advance(600_000);
    expect(harness.far.asks.length).toBeLessThan(6);
  });

  it('12a: an upload that comes right behind the create is not lost', async () => {
    const { service } = harness.router;
    const uploads = Array.from({ length: 20 }, async (_, i) => {
      const { id } = await service.create('native', native(`u${i}@example.com`));
      await service.upload(id, undefined, { offset: 0, whole: true, bytes: bytesOf('x\r\n') });
    });
    await Promise.all(uploads);
    expect(await harness.far.received(20)).toHaveLength(20);
  });

  it('12b: a message completed together with a heartbeat is delivered', async () => {
    const { service } = harness.router;
    const { id } = await service.create('native', native('bob@example.com'));
    await Promise.all([
      service.heartbeat(id),
      service.upload(id, undefined, { offset: 0, whole: true, bytes: bytesOf('x\r\n') }),
      service.heartbeat(id),
    ]);
    expect(await harness.far.received(1)).toHaveLength(1);
  });

  it('12d: one failed recipient is one bounce, whenever notification was enabled', async () => {
    await sendAs(harness, 'submission', ['bob@example.com', 'dataperm@example.com']);
    await harness.far.received(2);
    await harness.clock.advance(7_200_000);
    expect(harness.far.deliveries.filter(({ mailFrom }) => mailFrom === '')).toHaveLength(1);
  });

  it('12f: a recipient for whom there is no room is refused for now; the others are not', async () => {
    await harness.stop();
    harness = await startRouter({ databaseUrl: database.url, globals: ', executor: {output: {max_inflight: 2}}' });
    const rcpts = ['a@example.com', 'b@example.com', 'c@example.com'];
    const verdict = await sendAs(harness, 'ingress', rcpts);
    expect(verdict.rcpts.map(({ code }) => code)).toEqual([250, 250, 451]);
    expect(verdict.data?.code).toBe(250);
  });

  it('12f: submission takes what there is no room for into the store, and works it off', async () => {
    await harness.stop();
    harness = await startRouter({ databaseUrl: database.url, globals: ', executor: {output: {max_inflight: 2}}' });
    const rcpts = Array.from({ length: 12 }, (_, i) => `queued${i}@example.com`);
    const verdict = await sendAs(harness, 'submission', rcpts);
    expect(verdict.rcpts.map(({ code }) => code)).toEqual(rcpts.map(() => 250));
    expect(verdict.data?.code).toBe(250);
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 12);
    expect(harness.far.deliveries.map(({ rcptTo }) => rcptTo[0]).sort()).toEqual([...rcpts].sort());
  });

  it('12i: two hundred messages at once arrive once each', async () => {
    const rcpts = Array.from({ length: 200 }, (_, i) => `load${i}@example.com`);
    const verdicts = await Promise.all(
      rcpts.map((rcpt, i) => sendAs(harness, i % 2 === 0 ? 'ingress' : 'stored', [rcpt])),
    );
    expect(verdicts.every(({ data }) => data?.code === 250)).toBe(true);
    const deliveries = await harness.far.received(200);
    expect(deliveries.map(({ rcptTo }) => rcptTo[0]).sort()).toEqual([...rcpts].sort());
    await harness.clock.advance(600_000);
    expect(harness.far.deliveries).toHaveLength(200);
  });
});
