/** What an SMTP client is told, what is durable when, and what follows: the conversation side of a router. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { itself } from '../../src/lib/http/caller.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { settle, tickUntil } from '../helpers/fake-clock.ts';
import { deferred } from '../helpers/fake-exchange.ts';
import { type Harness, openExchange, sendAs, startRouter } from '../helpers/router-harness.ts';

describe.each(databases)('a conversation on $name', (kind) => {
  let database: TestDatabase;
  let harness: Harness;

  beforeEach(async () => {
    database = await kind.create();
    // Nobody else is there to hear a sign of life every two seconds, and days pass.
    harness = await startRouter({ databaseUrl: database.url, storage: ', session_refresh_interval: 60' });
  });

  afterEach(async () => {
    await harness.stop();
    await database.drop();
  });

  it('answers with the real reply of the far end, with no synchronous commit', async () => {
    const before = harness.store.stats.promises;
    const verdict = await sendAs(harness, 'ingress', ['bob@example.com']);
    expect(verdict.rcpts[0]).toMatchObject({ code: 250, text: 'recipient ok' });
    expect(verdict.data).toMatchObject({ code: 250, text: 'queued as 1' });
    expect(harness.store.stats.promises).toBe(before);
    expect(harness.far.deliveries).toHaveLength(1);
  });

  it('passes refusals on verbatim and stores nothing', async () => {
    const before = harness.store.stats.promises;
    const verdict = await sendAs(harness, 'ingress', ['rcptperm@example.com', 'dataperm@example.com']);
    expect(verdict.rcpts[0]).toMatchObject({ code: 550, enhanced: '5.1.1' });
    expect(verdict.data).toMatchObject({ code: 550 });
    expect(harness.store.stats.promises).toBe(before);
  });

  it('tells an ingress client of a temporary failure and takes no responsibility', async () => {
    const verdict = await sendAs(harness, 'ingress', ['datatemp@example.com']);
    expect(verdict.data).toMatchObject({ code: 450, text: 'try later' });
    await harness.clock.advance(7_200_000);
    expect(harness.far.asks).toHaveLength(1);
  });

  it('keeps a temporary connection failure temporary at RCPT', async () => {
    harness.far.answers = (stage) =>
      stage === 'mail' ? { code: 450, enhanced: '4.4.1', text: 'connect error' } : undefined;
    const verdict = await sendAs(harness, 'ingress', ['bob@example.com']);
    expect(verdict.rcpts[0]).toMatchObject({ code: 450, text: 'connect error' });
  });

  it('accepts for submission what fails temporarily, in two commits, and delivers it later', async () => {
    const before = harness.store.stats.promises;
    const verdict = await sendAs(harness, 'submission', ['datatemp@example.com']);
    expect(verdict.data).toMatchObject({ code: 250, text: 'DATA ok (store&forward)' });
    expect(harness.store.stats.promises - before).toBe(1);
    harness.far.answers = () => ({ code: 250, text: 'fine now' });
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 1);
    expect(harness.far.deliveries[0]?.rcptTo).toEqual(['datatemp@example.com']);
    expect(harness.far.deliveries[0]?.body).toBe('subject: hi\r\n\r\nhello\r\n');
  });

  it('accepts for submission although RCPT hangs, and goes on with the same attempt', async () => {
    const exchange = openExchange(harness, 'submission');
    await exchange.mail(mailbox('alice@example.com'));
    const rcpt = exchange.rcpt(mailbox('rcpttimeout@example.com'));
    await harness.clock.advance(10_000);
    expect(await rcpt).toMatchObject({ code: 250, text: 'RCPT ok (store&forward)' });
    const data = exchange.data(memoryBody(Buffer.from('a: b\r\n\r\nc\r\n')));
    await harness.clock.advance(20_000);
    expect(await data).toMatchObject({ code: 250, text: 'DATA ok (store&forward)' });
    await exchange.close();
    expect(harness.far.cancelled).toBe(0);
  });

  it('delivers a stored message from memory right after its commit: one commit before the answer, one for the outcome', async () => {
    const before = harness.store.stats.promises;
    const verdict = await sendAs(harness, 'stored', ['bob@example.com']);
    expect(verdict.data).toMatchObject({ code: 250, text: 'DATA ok (store&forward)' });
    await harness.far.received(1);
    await settle(50);
    expect(harness.store.stats.promises - before).toBe(2);
  });

  it('answers 250 for mixed results, bounces the permanent failure and delivers nothing twice', async () => {
    const verdict = await sendAs(harness, 'ingress', ['bob@example.com', 'dataperm@example.com']);
    expect(verdict.data).toMatchObject({ code: 250, text: 'DATA ok (store&forward)' });
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 2);
    const { deliveries } = harness.far;
    expect(deliveries.map(({ rcptTo }) => rcptTo[0]).sort()).toEqual(['alice@example.com', 'bob@example.com']);
    const bounce = deliveries.find(({ rcptTo }) => rcptTo[0] === 'alice@example.com');
    expect(bounce?.mailFrom).toBe('');
    expect(bounce?.body).toContain('Final-Recipient: rfc822;');
    expect(bounce?.body).toContain('dataperm@example.com');
    await harness.clock.advance(7_200_000);
    expect(harness.far.deliveries).toHaveLength(2);
  });

  it('takes no responsibility for a recipient who has the message after all by then, and tells nobody to send it again', async () => {
    const { far } = harness;
    const [answered, closed] = [deferred<void>(), deferred<void>()];
    const open = far.open.bind(far);
    far.open = (ask) => {
      const exchange = open(ask);
      let rcpt = '';
      return {
        mail: (from) => exchange.mail(from),
        rcpt: (to) => {
          rcpt = to.address;
          return exchange.rcpt(to);
        },
        data: async (body) => {
          if (rcpt.startsWith('slow')) await answered.promise;
          return exchange.data(body);
        },
        close: async () => {
          if (rcpt.startsWith('datatemp')) await closed.promise;
          await exchange.close();
        },
      };
    };
    const verdict = sendAs(harness, 'submission', ['slow@example.com', 'datatemp@example.com']);
    await settle();
    await harness.clock.advance(20_000);
    // Both are to be adopted; while one of the attempts is still ending, the other one is answered.
    answered.resolve();
    await far.received(1);
    await settle();
    closed.resolve();
    expect((await verdict).data).toMatchObject({ code: 250, text: 'DATA ok (store&forward)' });
    far.answers = () => ({ code: 250, text: 'fine now' });
    await tickUntil(harness.clock, () => far.deliveries.length === 2);
    expect(far.deliveries.map(({ rcptTo }) => rcptTo[0])).toEqual(['slow@example.com', 'datatemp@example.com']);
    await harness.clock.advance(7_200_000);
    expect(far.deliveries).toHaveLength(2);
  });

  it('bounces after the last attempt, once', async () => {
    await sendAs(harness, 'submission', ['datatemp@example.com']);
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 1);
    const [bounce] = harness.far.deliveries;
    expect(bounce?.body).toContain('Status: 4.2.0');
    await harness.clock.advance(7_200_000);
    expect(harness.far.deliveries).toHaveLength(1);
    expect(harness.far.asks).toHaveLength(4);
  });

  it('keeps nothing in work of what was refused, in whatever moment the client leaves', async () => {
    for (let turns = 0; turns < 20; turns += 1) {
      const exchange = openExchange(harness, 'ingress');
      await exchange.mail(mailbox('alice@example.com'));
      await exchange.rcpt(mailbox('dataperm@example.com'));
      const answer = exchange.data(memoryBody(Buffer.from('subject: hi\r\n\r\nhello\r\n')));
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      await exchange.close();
      await answer.catch(() => undefined);
    }
    await settle(30);
    const { transactions } = await harness.router.queue.list({ state: 'active', limit: 50 }, itself);
    expect(transactions).toEqual([]);
  });

  it('cancels upstream when the client goes away before the answer', async () => {
    const exchange = openExchange(harness, 'ingress');
    await exchange.mail(mailbox('alice@example.com'));
    await exchange.rcpt(mailbox('bob@example.com'));
    await exchange.close();
    await settle();
    expect(harness.far.cancelled).toBe(1);
    expect(harness.far.deliveries).toHaveLength(0);
  });

  it('refuses an unknown sender temporarily, because a configuration can be mended', async () => {
    expect((await openExchange(harness, 'nobody').mail(mailbox('a@b.example'))).code).toBe(450);
  });
});
