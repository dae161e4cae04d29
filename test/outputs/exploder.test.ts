/** The exploder: what the client of an SMTP session is told, and what becomes of each recipient. */
import { describe, expect, test } from 'vitest';
import { type Response, reply } from '../../src/lib/core/response.ts';
import { codes, envelope, explode, hello, rcpts } from '../helpers/exploding.ts';
import { settle } from '../helpers/fake-clock.ts';
import { deferred, never, ok, permFail, sender, tempFail } from '../helpers/fake-exchange.ts';

const SECOND = 1000;

test('accepts MAIL by itself, and opens one child for each recipient with what is known of the client', async () => {
  const { exchange, children, origin } = explode({});
  expect(await exchange.mail(sender)).toMatchObject({ code: 250 });
  expect(children.asks).toEqual([]);
  await exchange.rcpt(rcpts[0]);
  await exchange.rcpt(rcpts[1]);
  const ask = { ...origin, sender: 'outbound', tag: 'bulk', parentId: 't1', mayPark: false };
  expect(children.asks).toMatchObject([ask, ask]);
  expect(children.opened.map(({ exchange: child }) => child.asked)).toEqual([
    ['MAIL a@from.test', 'RCPT b@to.test'],
    ['MAIL a@from.test', 'RCPT c@to.test'],
  ]);
});

test('passes the answers of one recipient on in their own words', async () => {
  const taken = reply(250, '2.0.0', 'queued as 1234');
  for (const answer of [taken, tempFail, permFail]) {
    const { exchange, children } = explode({}, { data: answer });
    await envelope(exchange, 1);
    expect(await exchange.data(hello)).toEqual(answer);
    expect(children.adopted).toEqual([]);
  }
});

test('gives every child the same message', async () => {
  const { exchange, children } = explode({}, {}, {});
  await envelope(exchange, 2);
  await exchange.data(hello);
  for (const { exchange: child } of children.opened) {
    expect(child.bodies).toEqual([hello]);
  }
});

describe.each([
  { msa: true, timeout: 250, temporary: 250 },
  { msa: false, timeout: 450, temporary: 451 },
])('with msa $msa', ({ msa, timeout, temporary }) => {
  test(`RCPT: ${timeout} in time, ${temporary} for 4xx, 5xx verbatim, also when it was MAIL that failed`, async () => {
    const silent = explode({ msa }, { rcpt: never });
    await silent.exchange.mail(sender);
    const late = silent.exchange.rcpt(rcpts[0]);
    await silent.clock.advance(msa ? 5 * SECOND : 30 * SECOND);
    expect((await late).code).toBe(timeout);
    for (const phase of ['mail', 'rcpt'] as const) {
      const { exchange } = explode({ msa }, { [phase]: tempFail }, { [phase]: permFail });
      const [first, second] = await envelope(exchange, 2);
      expect(first?.code).toBe(temporary);
      if (!msa) expect(first).toEqual(tempFail);
      expect(second).toEqual(permFail);
    }
  });

  test('waits for RCPT no longer and no shorter than it should', async () => {
    const rcptSeconds = msa ? 5 : 30;
    const { exchange, clock } = explode({ msa }, { rcpt: never });
    await exchange.mail(sender);
    let isAnswered = false;
    const answer = exchange.rcpt(rcpts[0]).then(() => {
      isAnswered = true;
    });
    await clock.advance(rcptSeconds * SECOND - 1);
    expect(isAnswered).toBe(false);
    await clock.advance(1);
    await answer;
  });

  test(`DATA: ${timeout} in time, ${temporary} for 4xx, adopted exactly when it is 250`, async () => {
    const silent = explode({ msa }, { data: never });
    await envelope(silent.exchange, 1);
    const late = silent.exchange.data(hello);
    await silent.clock.advance((msa ? 30 : 300) * SECOND);
    expect((await late).code).toBe(timeout);
    expect(silent.children.adopted).toEqual(msa ? ['child-1'] : []);

    const refused = explode({ msa }, { data: tempFail });
    await envelope(refused.exchange, 1);
    expect((await refused.exchange.data(hello)).code).toBe(temporary);
    expect(refused.children.adopted).toEqual(msa ? ['child-1'] : []);
  });

  test('DATA with mixed answers: 250, and the failed ones are adopted in one commit before it', async () => {
    const { exchange, children } = explode({ msa }, { data: permFail }, {}, { data: tempFail });
    await envelope(exchange, 3);
    const commit = deferred<void>();
    children.commit = () => commit.promise;
    let isAnswered = false;
    const answer = exchange.data(hello).finally(() => {
      isAnswered = true;
    });
    await settle();
    expect(isAnswered).toBe(false);
    commit.resolve();
    expect((await answer).code).toBe(250);
    expect(children.adoptions).toEqual([[children.opened[0], children.opened[2]]]);
  });

  test('DATA with a failure nobody would hear of: the failure itself, and nothing is adopted', async () => {
    const { exchange, children } = explode({ msa }, {}, { data: permFail, bounces: false }, { data: tempFail });
    await envelope(exchange, 3);
    expect(await exchange.data(hello)).toEqual(permFail);
    expect(children.adoptions).toEqual([]);
  });

  test('all at once, the slowest recipient decides when DATA is answered', async () => {
    const { exchange, clock } = explode({ msa }, { data: never }, {});
    await envelope(exchange, 2);
    const answer = exchange.data(hello);
    await clock.advance((msa ? 30 : 300) * SECOND);
    expect((await answer).code).toBe(250);
    expect(clock.sleeping).toBe(0);
  });

  test('a failing adoption is answered 451, and nothing is promised', async () => {
    const { exchange, children, log } = explode({ msa }, {}, { data: tempFail });
    children.commit = () => Promise.reject(new Error('disk full'));
    await envelope(exchange, 2);
    const answer = await exchange.data(hello);
    expect(answer).toMatchObject({ code: 451, enhanced: '4.3.0' });
    expect(answer.text).not.toContain('disk');
    expect(children.adopted).toEqual([]);
    expect(log).toContainEqual(expect.objectContaining({ level: 'error' }));
  });

  test('too many at work: 451 for that recipient only, and the others go on', async () => {
    const { exchange, children } = explode({ msa }, {}, 'full', {});
    expect(codes(await envelope(exchange, 3))).toEqual([250, 451, 250]);
    expect((await exchange.data(hello)).code).toBe(250);
    expect(children.opened.map(({ exchange: child }) => child.asked.includes('DATA 5'))).toEqual([true, true]);
  });

  test('a refused child is closed at once and not asked again', async () => {
    const { exchange, children } = explode({ msa }, { rcpt: permFail }, {});
    await envelope(exchange, 2);
    expect(children.opened.map(({ exchange: child }) => child.isClosed)).toEqual([true, false]);
    expect((await exchange.data(hello)).code).toBe(250);
    expect(children.opened[0]?.exchange.asked).not.toContain('DATA 5');
  });

  test('nobody accepted: DATA is refused', async () => {
    const { exchange } = explode({ msa }, { rcpt: permFail });
    await envelope(exchange, 1);
    expect(await exchange.data(hello)).toMatchObject({ code: 503, enhanced: '5.5.1' });
  });

  test('closing closes every child and leaves no wait behind', async () => {
    const { exchange, children, clock } = explode({ msa }, {}, { rcpt: never }, { data: never });
    await exchange.mail(sender);
    const replies = rcpts.map((rcpt) => exchange.rcpt(rcpt));
    await settle();
    await exchange.close();
    expect(codes(await Promise.all(replies))).toEqual([250, 450, 250]);
    expect(children.opened.every(({ exchange: child }) => child.isClosed)).toBe(true);
    expect(clock.sleeping).toBe(0);
  });

  test('a client that goes away during DATA is promised nothing', async () => {
    const { exchange, children } = explode({ msa }, { data: never }, {});
    await envelope(exchange, 2);
    const answer = exchange.data(hello);
    await settle();
    await exchange.close();
    expect((await answer).code).toBe(450);
    expect(children.adoptions).toEqual([]);
  });

  test('after closing nothing is opened any more', async () => {
    const { exchange, children } = explode({ msa });
    await exchange.mail(sender);
    await exchange.close();
    expect((await exchange.rcpt(rcpts[0])).code).toBe(450);
    expect(children.asks).toEqual([]);
  });
});

test('a pipelined DATA waits for the recipients before it: nobody who was accepted is left out', async () => {
  const slow = deferred<Response>();
  const { exchange, children } = explode({}, { rcpt: slow.promise }, {});
  const replies = Promise.all([
    exchange.mail(sender),
    exchange.rcpt(rcpts[0]),
    exchange.rcpt(rcpts[1]),
    exchange.data(hello),
  ]);
  await settle();
  expect(children.opened.some(({ exchange: child }) => child.asked.includes('DATA 5'))).toBe(false);
  slow.resolve(ok);
  expect(codes(await replies)).toEqual([250, 250, 250, 250]);
  expect(children.opened.every(({ exchange: child }) => child.asked.includes('DATA 5'))).toBe(true);
});

test('of several equal answers the one of the first recipient is quoted, whoever answered RCPT first', async () => {
  const slow = deferred<Response>();
  const first = reply(550, '5.7.1', 'first');
  const second = reply(554, '5.6.0', 'second');
  const { exchange } = explode({}, { rcpt: slow.promise, data: first }, { data: second });
  await exchange.mail(sender);
  const accepted = [exchange.rcpt(rcpts[0]), exchange.rcpt(rcpts[1])];
  await settle();
  slow.resolve(ok);
  await Promise.all(accepted);
  expect(await exchange.data(hello)).toEqual(first);
});

test('the timeouts of the configuration are seconds', async () => {
  const { exchange, clock } = explode(
    { options: { rcpt_timeout: 2, data_timeout: 7 } },
    { rcpt: never },
    { data: never },
  );
  await exchange.mail(sender);
  const rcpt = exchange.rcpt(rcpts[0]);
  await clock.advance(2 * SECOND);
  expect(await rcpt).toMatchObject({ code: 450, enhanced: '4.4.7' });
  await exchange.rcpt(rcpts[1]);
  const data = exchange.data(hello);
  await clock.advance(7 * SECOND);
  expect(await data).toMatchObject({ code: 450, enhanced: '4.4.7' });
});

test('a bug in a child is an answer like any other, and is not forgotten when it shows late', async () => {
  const late = deferred<Response>();
  const { exchange, clock, children } = explode({ msa: true }, { rcpt: late.promise });
  await exchange.mail(sender);
  const answer = exchange.rcpt(rcpts[0]);
  await clock.advance(5 * SECOND);
  expect((await answer).code).toBe(250);
  late.reject(new Error('bug'));
  await settle();
  expect((await exchange.data(hello)).code).toBe(250);
  expect(children.adopted).toEqual(['child-1']);
});
