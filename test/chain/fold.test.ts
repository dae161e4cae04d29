/** Filters folded over an output: the order of phases, who is asked, and who never hears of it. */
import { describe, expect, test } from 'vitest';
import { ChainTx } from '../../src/lib/chain/chain-tx.ts';
import type { Filter } from '../../src/lib/chain/filter.ts';
import { fold } from '../../src/lib/chain/fold.ts';
import { memoryBody } from '../../src/lib/core/body.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { Response } from '../../src/lib/core/response.ts';
import { settle } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';
import { deferred, FakeExchange, never, ok, permFail, recipient, sender, tempFail } from '../helpers/fake-exchange.ts';

const body = memoryBody(Buffer.from('hello'));

function chainOf(output: Exchange, ...filters: readonly Filter[]): Exchange {
  return fold(filters, new ChainTx({ name: 'submission' }, { id: 't1', origin: {}, log: memoryLog() }), output);
}

/** Everything at once, as a pipelining client does. */
function pipelined(chain: Exchange): Promise<readonly Response[]> {
  return Promise.all([chain.mail(sender), chain.rcpt(recipient), chain.data(body)]);
}

test('a chain without filters asks its output', async () => {
  const output = new FakeExchange({ rcpt: tempFail });
  expect(await pipelined(chainOf(output))).toEqual([ok, tempFail, ok]);
  expect(output.asked).toEqual(['MAIL a@from.test', 'RCPT b@to.test', 'DATA 5']);
});

test('filters without steps pass everything on and every reply back', async () => {
  const output = new FakeExchange({ rcpt: tempFail, data: permFail });
  expect(await pipelined(chainOf(output, {}, {}))).toEqual([ok, tempFail, permFail]);
  expect(output.asked).toEqual(['MAIL a@from.test', 'RCPT b@to.test', 'DATA 5']);
});

test('filters see a message in the order of the chain, and its replies in the other', async () => {
  const seen: string[] = [];
  const tracer = (name: string): Filter => ({
    async mail(_, from, next) {
      seen.push(`${name} asked`);
      const response = await next(from);
      seen.push(`${name} answered`);
      return response;
    },
  });
  await chainOf(new FakeExchange(), tracer('first'), tracer('second')).mail(sender);
  expect(seen).toEqual(['first asked', 'second asked', 'second answered', 'first answered']);
});

test('a filter passes on a new value, and answers with a new reply', async () => {
  const output = new FakeExchange({ data: permFail });
  const rewriting: Filter = {
    mail: (_, from, next) => next(mailbox(`srs+${from.address}`)),
    rcpt: (_, to, next) => next(mailbox(to.address.toUpperCase())),
    data: async (_, given, next) => {
      await next(memoryBody(Buffer.concat([Buffer.from('X: y\r\n'), given.inMemory ?? Buffer.alloc(0)])));
      return tempFail;
    },
  };
  expect(await pipelined(chainOf(output, rewriting))).toEqual([ok, ok, tempFail]);
  expect(output.asked).toEqual(['MAIL srs+a@from.test', 'RCPT B@TO.TEST', 'DATA 11']);
});

describe('a slow filter is not overtaken', () => {
  test('at MAIL by RCPT and DATA', async () => {
    const lookup = deferred<void>();
    const output = new FakeExchange();
    const slow: Filter = {
      async mail(_, from, next) {
        await lookup.promise;
        return next(from);
      },
    };
    const replies = pipelined(chainOf(output, {}, slow, {}));
    await settle();
    expect(output.asked).toEqual([]);
    lookup.resolve();
    await replies;
    expect(output.asked).toEqual(['MAIL a@from.test', 'RCPT b@to.test', 'DATA 5']);
  });

  test('at one RCPT by the next', async () => {
    const lookup = deferred<void>();
    const output = new FakeExchange();
    const slow: Filter = {
      async rcpt(_, to, next) {
        if (to === recipient) await lookup.promise;
        return next(to);
      },
    };
    const chain = chainOf(output, slow);
    const replies = Promise.all([chain.mail(sender), chain.rcpt(recipient), chain.rcpt(mailbox('c@to.test'))]);
    await settle();
    expect(output.asked).toEqual(['MAIL a@from.test']);
    lookup.resolve();
    await replies;
    expect(output.asked).toEqual(['MAIL a@from.test', 'RCPT b@to.test', 'RCPT c@to.test']);
  });

  test('but a slow reply of the far end holds nobody back', async () => {
    const output = new FakeExchange({ mail: never, rcpt: never });
    void pipelined(chainOf(output, {}, {}));
    await settle();
    expect(output.asked).toEqual(['MAIL a@from.test', 'RCPT b@to.test', 'DATA 5']);
  });
});

describe('a filter that answers by itself keeps the message from going further', () => {
  test('at MAIL, for all that follows, with the class of its answer', async () => {
    for (const [answer, follow] of [
      [tempFail, { code: 450, enhanced: '4.5.1' }],
      [permFail, { code: 503, enhanced: '5.5.1' }],
    ] as const) {
      const output = new FakeExchange();
      const chain = chainOf(output, {}, { mail: () => Promise.resolve(answer) }, {});
      const replies = await pipelined(chain);
      expect(replies[0]).toEqual(answer);
      expect(replies[1]).toMatchObject(follow);
      expect(replies[2]).toMatchObject(follow);
      expect(await chain.rcpt(recipient)).toMatchObject(follow);
      expect(output.asked).toEqual([]);
    }
  });

  test('at MAIL after a while, with RCPT waiting behind it', async () => {
    const lookup = deferred<void>();
    const output = new FakeExchange();
    const slow: Filter = {
      async mail() {
        await lookup.promise;
        return permFail;
      },
    };
    const replies = pipelined(chainOf(output, slow));
    await settle();
    lookup.resolve();
    expect((await replies).map(({ code }) => code)).toEqual([550, 503, 503]);
    expect(output.asked).toEqual([]);
  });

  test('at MAIL although the far end had accepted it', async () => {
    const output = new FakeExchange();
    const late: Filter = {
      async mail(_, from, next) {
        await next(from);
        return permFail;
      },
    };
    const chain = chainOf(output, late);
    expect(await chain.mail(sender)).toEqual(permFail);
    expect(await chain.rcpt(recipient)).toMatchObject({ code: 503 });
    expect(await chain.data(body)).toMatchObject({ code: 503 });
    expect(output.asked).toEqual(['MAIL a@from.test']);
  });

  test('at RCPT, for that recipient only', async () => {
    const output = new FakeExchange();
    const picky: Filter = {
      rcpt: (_, to, next) => (to === recipient ? Promise.resolve(permFail) : next(to)),
    };
    const chain = chainOf(output, picky, {});
    const replies = await Promise.all([chain.mail(sender), chain.rcpt(recipient), chain.rcpt(mailbox('c@to.test'))]);
    expect(replies).toEqual([ok, permFail, ok]);
    expect(output.asked).toEqual(['MAIL a@from.test', 'RCPT c@to.test']);
  });

  test('at DATA: what is rejected is never sent, not even in the end', async () => {
    const output = new FakeExchange();
    const chain = chainOf(output, {}, { data: () => Promise.resolve(permFail) }, {});
    expect((await pipelined(chain))[2]).toEqual(permFail);
    await chain.close();
    expect(output.asked).toEqual(['MAIL a@from.test', 'RCPT b@to.test', 'CLOSE']);
    expect(output.bodies).toEqual([]);
  });
});

test('the refusal of the far end at MAIL is the answer to RCPT too, with its class', async () => {
  const chain = chainOf(new FakeExchange({ mail: tempFail }), {});
  expect(await chain.mail(sender)).toEqual(tempFail);
  expect(await chain.rcpt(recipient)).toMatchObject({ code: 450, enhanced: '4.5.1' });
});

describe('closing', () => {
  test('reaches the output through all filters', async () => {
    const output = new FakeExchange();
    await chainOf(output, {}, {}, {}).close();
    expect(output.asked).toEqual(['CLOSE']);
  });

  test('keeps a filter that is still looking something up from asking the output afterwards', async () => {
    for (const phase of ['mail', 'rcpt', 'data'] as const) {
      const lookup = deferred<void>();
      const output = new FakeExchange();
      const slow: Filter = {
        async [phase](_: unknown, value: never, next: (value: never) => Promise<Response>) {
          await lookup.promise;
          return next(value);
        },
      };
      const chain = chainOf(output, {}, slow, {});
      const replies = pipelined(chain);
      await settle();
      await chain.close();
      lookup.resolve();
      const codes = (await replies).map(({ code }) => code);
      expect(codes.at(-1)).toBe(450);
      expect(output.asked.at(-1), phase).toBe('CLOSE');
    }
  });
});

describe('a bug in a filter', () => {
  test('rejects its step, and the steps behind it still get their turn', async () => {
    const bug = new Error('bug');
    const chain = chainOf(new FakeExchange(), { rcpt: () => Promise.reject(bug) });
    await chain.mail(sender);
    const [rcpt, data] = await Promise.allSettled([chain.rcpt(recipient), chain.data(body)]);
    expect(rcpt).toEqual({ status: 'rejected', reason: bug });
    expect(data).toEqual({ status: 'fulfilled', value: ok });
  });

  test('is seen when it says yes to MAIL by itself and lets RCPT pass', async () => {
    const chain = chainOf(new FakeExchange(), { mail: () => Promise.resolve(ok) });
    await chain.mail(sender);
    await expect(chain.rcpt(recipient)).rejects.toThrow('keeps MAIL to itself');
  });
});
