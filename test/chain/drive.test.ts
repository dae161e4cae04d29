/** Both halves of a live transaction: asks go up, replies come down, and every end closes the exchange upstream. */
import { describe, expect, test } from 'vitest';
import { drive } from '../../src/lib/chain/drive.ts';
import { exchangeOf } from '../../src/lib/chain/live-exchange.ts';
import { memoryBody } from '../../src/lib/core/body.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import { LiveTransaction } from '../../src/lib/core/live.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { Response } from '../../src/lib/core/response.ts';
import { Stop } from '../../src/lib/core/stop.ts';
import { NEW_TX } from '../../src/lib/core/transaction.ts';
import { settle } from '../helpers/fake-clock.ts';
import {
  deferred,
  type FakeAnswers,
  FakeExchange,
  never,
  ok,
  permFail,
  recipient,
  sender,
  tempFail,
} from '../helpers/fake-exchange.ts';

const body = memoryBody(Buffer.from('hello'));
const other = mailbox('c@to.test');
const cancelled = { code: 450, enhanced: '4.4.2' };

/** A transaction that is driven over a fake far end, seen from its client. */
function driven(answers: FakeAnswers | Exchange = {}, { incremental = false } = {}) {
  const upstream = 'mail' in answers && 'close' in answers ? (answers as Exchange) : new FakeExchange(answers);
  const live = new LiveTransaction('t1', { ...NEW_TX, incremental });
  const stop = new Stop();
  const bugs: unknown[] = [];
  live.apply({ type: 'attempt' });
  const end = drive(live, upstream, stop, (error) => bugs.push(error));
  const client = exchangeOf(live, () => live.apply({ type: 'cancel' }));
  return { upstream: upstream as FakeExchange, live, stop, bugs, end, client };
}

function pulled(): Stop {
  const stop = new Stop();
  stop.pull();
  return stop;
}

describe('a driven transaction', () => {
  test('passes asks on and replies back, and closes the exchange when DATA was answered', async () => {
    const { client, upstream, end } = driven({ data: permFail });
    expect(await client.mail(sender)).toEqual(ok);
    expect(await client.rcpt(recipient)).toEqual(ok);
    expect(await client.data(body)).toEqual(permFail);
    expect(await end).toBe('decided');
    expect(upstream.asked).toEqual(['MAIL a@from.test', 'RCPT b@to.test', 'DATA 5', 'CLOSE']);
  });

  test('passes pipelined asks on at once, and DATA when the recipients are answered', async () => {
    const mail = deferred<Response>();
    const rcpt = deferred<Response>();
    const { client, upstream, end } = driven({ mail: mail.promise, rcpt: rcpt.promise });
    const replies = Promise.all([client.mail(sender), client.rcpt(recipient), client.rcpt(other), client.data(body)]);
    await settle();
    expect(upstream.asked).toEqual(['MAIL a@from.test', 'RCPT b@to.test', 'RCPT c@to.test']);
    rcpt.resolve(ok);
    await settle();
    expect(upstream.asked).not.toContain('DATA 5');
    mail.resolve(ok);
    expect(await replies).toEqual([ok, ok, ok, ok]);
    expect(await end).toBe('decided');
    expect(upstream.asked.slice(3)).toEqual(['DATA 5', 'CLOSE']);
  });

  test('finds what was asked before it began', async () => {
    const upstream = new FakeExchange();
    const live = new LiveTransaction('t1', { ...NEW_TX, mailFrom: sender, rcptTo: [recipient, other], body });
    const end = await drive(live, upstream, new Stop(), () => undefined);
    expect(end).toBe('decided');
    expect(live.state.replies).toEqual({ mail: ok, rcpt: [ok, ok], data: ok });
  });

  test('sends DATA to the recipients that were accepted', async () => {
    const { client, upstream, end } = driven({ rcpt: (to) => (to === other ? permFail : ok) });
    const replies = await Promise.all([
      client.mail(sender),
      client.rcpt(recipient),
      client.rcpt(other),
      client.data(body),
    ]);
    expect(replies).toEqual([ok, ok, permFail, ok]);
    expect(await end).toBe('decided');
    expect(upstream.asked).toContain('DATA 5');
  });

  test('ends with a refused MAIL; RCPT and DATA have its class', async () => {
    for (const [mail, code] of [
      [tempFail, 450],
      [permFail, 503],
    ] as const) {
      const { client, upstream, end } = driven({ mail, rcpt: never });
      const replies = await Promise.all([client.mail(sender), client.rcpt(recipient), client.data(body)]);
      expect(replies).toMatchObject([mail, { code }, { code }]);
      expect(await client.rcpt(other)).toMatchObject({ code });
      expect(await end).toBe('decided');
      expect(upstream.asked).not.toContain('DATA 5');
      expect(upstream.isClosed).toBe(true);
    }
  });

  test('ends with the refusal of its only recipient, before the message is there', async () => {
    const { client, upstream, end } = driven({ rcpt: tempFail });
    const replies = await Promise.all([client.mail(sender), client.rcpt(recipient)]);
    expect(replies).toEqual([ok, tempFail]);
    expect(await end).toBe('decided');
    expect(upstream.isClosed).toBe(true);
    expect(await client.data(body)).toMatchObject({ code: 450, enhanced: '4.5.1' });
    expect(upstream.asked).not.toContain('DATA 5');
  });
});

describe('a conversation', () => {
  test('goes on after a refused recipient', async () => {
    const { client, upstream, end } = driven(
      { rcpt: (to) => (to === recipient ? permFail : ok) },
      { incremental: true },
    );
    await client.mail(sender);
    expect(await client.rcpt(recipient)).toEqual(permFail);
    expect(await client.rcpt(other)).toEqual(ok);
    expect(await client.data(body)).toEqual(ok);
    expect(await end).toBe('decided');
    expect(upstream.asked).toEqual(['MAIL a@from.test', 'RCPT b@to.test', 'RCPT c@to.test', 'DATA 5', 'CLOSE']);
  });

  test('of which every recipient was refused does not send the message, and is temporary when one of them was', async () => {
    const cases: readonly (readonly [Response, Response, number])[] = [
      [permFail, permFail, 503],
      [permFail, tempFail, 450],
      [tempFail, permFail, 450],
    ];
    for (const [first, second, code] of cases) {
      const { client, upstream, end } = driven(
        { rcpt: (to) => (to === recipient ? first : second) },
        { incremental: true },
      );
      await client.mail(sender);
      await client.rcpt(recipient);
      await client.rcpt(other);
      expect(await client.data(body)).toMatchObject({ code });
      expect(await end).toBe('decided');
      expect(upstream.asked).not.toContain('DATA 5');
    }
  });
});

describe('a cancel', () => {
  const steps: readonly [string, FakeAnswers, (client: Exchange) => readonly Promise<Response>[]][] = [
    ['before MAIL', {}, () => []],
    ['while MAIL is not answered', { mail: never }, (c) => [c.mail(sender)]],
    ['while MAIL and RCPT are not answered', { mail: never, rcpt: never }, (c) => [c.mail(sender), c.rcpt(recipient)]],
    ['while RCPT is not answered', { rcpt: never }, (c) => [c.mail(sender), c.rcpt(recipient)]],
    ['before the message', {}, (c) => [c.mail(sender), c.rcpt(recipient)]],
    ['while DATA is not answered', { data: never }, (c) => [c.mail(sender), c.rcpt(recipient), c.data(body)]],
  ];
  test.each(steps)('%s closes the exchange upstream, and answers who still waits', async (_, answers, ask) => {
    const { client, upstream, end } = driven(answers);
    const replies = ask(client);
    await settle();
    await client.close();
    expect(await end).toBe('cancelled');
    expect(upstream.asked.at(-1)).toBe('CLOSE');
    for (const reply of await Promise.all(replies))
      expect([ok, expect.objectContaining(cancelled)]).toContainEqual(reply);
  });

  test('is answered to every later ask', async () => {
    const { client, end } = driven();
    await client.close();
    await end;
    expect(await client.mail(sender)).toMatchObject(cancelled);
    expect(await client.rcpt(recipient)).toMatchObject(cancelled);
    expect(await client.data(body)).toMatchObject(cancelled);
  });

  test('comes too late when the far end has taken the message', async () => {
    const data = deferred<Response>();
    const { client, live, end } = driven({ data: data.promise });
    void Promise.all([client.mail(sender), client.rcpt(recipient), client.data(body)]);
    await settle();
    live.apply({ type: 'dataReply', response: ok });
    live.apply({ type: 'cancel' });
    expect(await end).toBe('decided');
  });

  test('comes in time when the far end has refused for now: it is not tried again', async () => {
    const { client, live, end } = driven({ data: never });
    void Promise.all([client.mail(sender), client.rcpt(recipient), client.data(body)]);
    await settle();
    live.apply({ type: 'dataReply', response: tempFail });
    live.apply({ type: 'cancel' });
    expect(await end).toBe('cancelled');
  });
});

describe('stopping', () => {
  test('closes the exchange and says so', async () => {
    const { client, upstream, end, stop } = driven({ rcpt: never });
    void client.mail(sender);
    void client.rcpt(recipient);
    await settle();
    stop.pull();
    expect(await end).toBe('stopped');
    expect(upstream.isClosed).toBe(true);
  });

  test('asks nothing when it came first', async () => {
    const upstream = new FakeExchange();
    const live = new LiveTransaction('t1', { ...NEW_TX, mailFrom: sender, rcptTo: [recipient], body });
    expect(await drive(live, upstream, pulled(), () => undefined)).toBe('stopped');
    expect(upstream.asked).toEqual(['CLOSE']);
  });

  test('does not unsay a reply that decided', async () => {
    const { client, end, stop } = driven();
    const reply = Promise.all([client.mail(sender), client.rcpt(recipient), client.data(body)]);
    reply.then(
      () => stop.pull(),
      () => undefined,
    );
    expect(await end).toBe('decided');
  });

  test('answers who waits as soon as the transaction is given up', async () => {
    const { client, end, live, stop } = driven({ mail: never });
    const mail = client.mail(sender);
    await settle();
    stop.pull();
    await end;
    live.apply({ type: 'finish', final: { outcome: 'abandoned', text: 'downstream timeout' } });
    expect(await mail).toMatchObject(cancelled);
    expect(await client.rcpt(recipient)).toMatchObject(cancelled);
  });
});

test('a reply that comes after the end is ignored', async () => {
  const late = deferred<Response>();
  const { client, live, end } = driven({ data: late.promise });
  void Promise.all([client.mail(sender), client.rcpt(recipient), client.data(body)]);
  await settle();
  await client.close();
  await end;
  const { version } = live;
  late.resolve(ok);
  await settle();
  expect(live.version).toBe(version);
  expect(live.state.replies.data).toBeUndefined();
});

describe('a chain with a bug', () => {
  const throwing = (): Promise<Response> => Promise.reject(new Error('bug'));
  test.each<[string, FakeAnswers]>([
    ['at MAIL', { mail: throwing }],
    ['at RCPT', { rcpt: throwing }],
    ['at DATA', { data: throwing }],
  ])('%s is answered 451, reported, and closed', async (_, answers) => {
    const { client, upstream, bugs, end } = driven(answers);
    const replies = await Promise.all([client.mail(sender), client.rcpt(recipient), client.data(body)]);
    expect(replies).toContainEqual(expect.objectContaining({ code: 451, enhanced: '4.3.0' }));
    expect(replies.map(({ code }) => code).every((code) => code < 500)).toBe(true);
    expect(bugs).toEqual([new Error('bug')]);
    expect(await end).toBe('decided');
    expect(upstream.isClosed).toBe(true);
  });

  test('that throws instead of rejecting is answered the same', async () => {
    const upstream: Exchange = {
      mail: () => {
        throw new Error('bug');
      },
      rcpt: () => never,
      data: () => never,
      close: () => Promise.resolve(),
    };
    const { client, bugs, end } = driven(upstream);
    expect(await client.mail(sender)).toMatchObject({ code: 451, enhanced: '4.3.0' });
    expect(await end).toBe('decided');
    expect(bugs).toHaveLength(1);
  });

  test('that cannot be closed is reported, and what it answered stands', async () => {
    const fake = new FakeExchange();
    const upstream: Exchange = {
      mail: (from) => fake.mail(from),
      rcpt: (to) => fake.rcpt(to),
      data: (message) => fake.data(message),
      close: () => Promise.reject(new Error('cannot close')),
    };
    const { client, bugs, end } = driven(upstream);
    const replies = await Promise.all([client.mail(sender), client.rcpt(recipient), client.data(body)]);
    expect(replies).toEqual([ok, ok, ok]);
    expect(await end).toBe('decided');
    expect(bugs).toEqual([new Error('cannot close')]);
  });
});
