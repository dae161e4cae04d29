/** What a plugin's filter may do wrong while mail runs through it, and what comes of it. */
import { describe, expect, it } from 'vitest';
import {
  type Body,
  defineFilter,
  type Filter,
  memoryBody,
  openTestChain,
  prefixedBody,
  type Response,
  reply,
  type TestChainAsk,
} from '../../src/index.ts';
import { formatResponse } from '../../src/lib/core/response.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const MESSAGE = 'subject: x\r\n\r\nhello\r\n';
const FAILED = '451 4.3.0 a filter failed, try again later';

/** A chain of one filter, `strange`, made for each transaction by `make`. */
function chainWith(make: () => Filter, ask: Partial<TestChainAsk> = {}) {
  const strange = defineFilter({ name: 'strange', summary: 'is strange', create: () => make });
  return openTestChain({ plugins: [{ name: 'odd', filters: [strange] }], chain: [{ filter: 'strange' }], ...ask });
}

/** All that SMTP would ask, and the answers. */
async function answersOf(make: () => Filter, ask: Partial<TestChainAsk> = {}) {
  const chain = await chainWith(make, ask);
  const answers = [await chain.mail('a@x.test'), await chain.rcpt('b@y.test'), await chain.data(MESSAGE)];
  return { answers: answers.map(formatResponse), chain };
}

const nonsense = (value: unknown): Filter => ({ mail: async () => value as Response });

describe('a filter that breaks its contract', () => {
  it.each([
    ['throws', { mail: () => Promise.reject(new Error('boom')) }, /threw Error: boom \(at .*guarded-filter\.test\.ts/],
    [
      'throws before its first await',
      {
        mail: () => {
          throw 'a string';
        },
      },
      /threw 'a string'/,
    ],
    ['answers nothing', nonsense(undefined), /expected a reply .* not undefined/],
    ['answers true', nonsense(true), /expected a reply .* not true/],
    ['answers a code out of range', nonsense({ code: 777, text: 'x' }), /a code of 2xx, 4xx or 5xx, not 777/],
    ['answers a code that is text', nonsense({ code: '250', text: 'x' }), /a code of 2xx, 4xx or 5xx, not '250'/],
    ['answers without a text', nonsense({ code: 250 }), /the text of a reply, not undefined/],
    ['answers a text with CR', nonsense({ code: 250, text: 'x\r\n250 y' }), /must not contain CR/],
    [
      'answers a wrong enhanced code',
      nonsense({ code: 550, enhanced: '5.7', text: '' }),
      /such as 5\.7\.1, not '5\.7'/,
    ],
  ] satisfies [string, Filter, RegExp][])('that %s is answered 451 and logged by name', async (_, filter, why) => {
    const chain = await chainWith(() => filter);
    expect(formatResponse(await chain.mail('a@x.test'))).toBe(FAILED);
    expect(formatResponse(await chain.rcpt('b@y.test'))).toBe('450 4.5.1 failed precondition: MAIL');
    expect(chain.reached).toEqual({ mail: [], rcpt: [], data: [] });
    const [line] = chain.log;
    expect(line).toMatchObject({
      level: 'error',
      text: 'a plugin failed',
      fields: { plugin: 'odd', filter: 'strange' },
    });
    expect(String(line?.fields.error)).toMatch(why);
    expect(String(line?.fields.error)).toContain('the filter strange of the plugin odd');
  });

  it('is answered 451 when it cannot be made for a transaction', async () => {
    const broken = (): Filter => {
      throw new Error('no memory');
    };
    const { answers } = await answersOf(broken);
    expect(answers[0]).toBe(FAILED);
  });

  it('is answered 451 when what is made is no filter', async () => {
    const { answers, chain } = await answersOf(() => undefined as unknown as Filter);
    expect(answers[0]).toBe(FAILED);
    expect(String(chain.log[0]?.fields.error)).toContain('expected a filter {mail, rcpt, data}, not undefined');
  });

  it.each([
    ['misspelt', { mial: () => undefined }, "a filter has no phase 'mial' (did you mean 'mail'?)"],
    ['promised', Promise.resolve({}), 'not a promise'],
  ])('is answered 451 when its phases are %s, rather than never asked', async (_, made, why) => {
    const chain = await chainWith(() => made as Filter);
    await chain.mail('a@x.test');
    expect((await chain.rcpt('b@y.test')).code).toBe(450);
    expect(String(chain.log[0]?.fields.error)).toContain(why);
  });

  it('refuses one recipient, not the transaction, when it fails at RCPT', async () => {
    const chain = await chainWith(() => ({
      rcpt: async (_, to, next) => {
        if (to.address === 'bad@y.test') throw new Error('boom');
        return next(to);
      },
    }));
    await chain.mail('a@x.test');
    expect((await chain.rcpt('bad@y.test')).code).toBe(451);
    expect((await chain.rcpt('good@y.test')).code).toBe(250);
    expect((await chain.data(MESSAGE)).code).toBe(250);
    expect(chain.reached.rcpt.map(({ address }) => address)).toEqual(['good@y.test']);
  });
});

describe('next()', () => {
  it.each([
    ['no path', () => 'b@y.test', /expected a path {address, params}, not 'b@y\.test'/],
    ['an address with a line end', () => ({ address: 'b@y.test\r\nDATA', params: [] }), /expected an address/],
    [
      'a parameter with a space',
      () => ({ address: 'b@y.test', params: [{ keyword: 'NOTIFY', value: 'x y' }] }),
      /ESMTP param/,
    ],
  ])('does not take %s', async (_, passOn, why) => {
    const { answers, chain } = await answersOf(() => ({ rcpt: (_tx, _to, next) => next(passOn() as never) }));
    expect(answers[1]).toBe(FAILED);
    expect(String(chain.log[0]?.fields.error)).toMatch(why);
  });

  it('is not reached by a filter that changes its argument', async () => {
    const { answers, chain } = await answersOf(() => ({
      rcpt: (_, to, next) => {
        (to as { address: string }).address = 'c@y.test';
        return next(to);
      },
    }));
    expect(answers[1]).toBe(FAILED);
    expect(String(chain.log[0]?.fields.error)).toContain("read only property 'address'");
  });

  it('takes a changed path and a changed body', async () => {
    const { answers, chain } = await answersOf(() => ({
      rcpt: (_, to, next) => next({ ...to, address: 'c@y.test' }),
      data: (_, body, next) => next(prefixedBody(Buffer.from('x-seen: yes\r\n'), body)),
    }));
    expect(answers).toEqual(['250 2.0.0 ok', '250 2.0.0 ok', '250 2.0.0 ok']);
    expect(chain.reached.rcpt[0]?.address).toBe('c@y.test');
    expect(String(chain.reached.data[0])).toBe(`x-seen: yes\r\n${MESSAGE}`);
  });

  it('passes a message on once, however often it is called', async () => {
    const { answers, chain } = await answersOf(() => ({
      data: async (_, body, next) => {
        await next(body);
        return next(body);
      },
    }));
    expect(chain.reached.data).toHaveLength(1);
    expect(answers[2]).toBe('250 2.0.0 ok');
    expect(String(chain.log[0]?.fields.error)).toContain('called next() twice');
  });

  it('passes nothing on after the filter has answered', async () => {
    let late: Promise<unknown> | undefined;
    const { answers, chain } = await answersOf(() => ({
      rcpt: async (_, to, next) => {
        late = new Promise((resolve) => setImmediate(resolve)).then(() => next(to)).catch(String);
        return reply(450, '4.7.1', 'later');
      },
    }));
    expect(answers[1]).toBe('450 4.7.1 later');
    expect(await late).toContain('called next() after it had answered');
    expect(chain.reached.rcpt).toEqual([]);
  });

  it.each([
    ['passes it on', (answer: Response) => answer, 'passed'],
    ['copies it', ({ code, text }: Response) => ({ code, text }), 'passed'],
    ['says the same in other words', ({ code }: Response) => reply(code, '2.0.0', 'thank you'), 'passed'],
    ['answers something else', () => reply(251, '2.0.0', 'elsewhere'), undefined],
    ['claims a source', () => ({ code: 251, text: 'mine', source: { handover: 'delivered' } }) as Response, undefined],
  ])(
    'keeps what is known of an answer when the filter %s: who gave it, and who reports a success',
    async (_, say, kept) => {
      const chain = await chainWith(() => ({ data: async (_tx, body, next) => say(await next(body)) }), {
        replies: { data: { code: 250, text: 'taken', source: { mta: 'mx.test', handover: 'passed' } } },
      });
      await chain.mail('a@x.test');
      await chain.rcpt('b@y.test');
      expect((await chain.data(MESSAGE)).source?.handover).toBe(kept);
    },
  );

  it('hands a failure beneath the filter through, and does not blame the plugin', async () => {
    const bug = new Error('a bug of somebody else');
    const chain = await chainWith(() => ({ data: (_, body, next) => next(body) }), {
      replies: {
        get data(): Response {
          throw bug;
        },
      },
    });
    await chain.mail('a@x.test');
    await chain.rcpt('b@y.test');
    await expect(chain.data(MESSAGE)).rejects.toBe(bug);
    expect(chain.log).toEqual([]);
  });
});

describe('a message that has been passed on', () => {
  const failsAfterwards = (): Filter => ({
    data: async (_, body, next) => {
      await next(body);
      throw new Error('too late');
    },
  });

  it.each([
    ['taken', reply(250, '2.6.0', 'queued'), '250 2.6.0 queued'],
    ['refused', reply(554, '5.7.1', 'no'), '554 5.7.1 no'],
  ])('and %s keeps the answer of the next hop when the filter fails afterwards', async (_, data, expected) => {
    const { answers, chain } = await answersOf(failsAfterwards, { replies: { data } });
    expect(answers[2]).toBe(expected);
    expect(chain.log[0]?.text).toBe('a plugin failed after it had passed the message on');
  });

  it('has the answer of the next hop even when the filter did not wait for it', async () => {
    const { answers } = await answersOf(
      () => ({
        data: (_, body, next) => {
          void next(body);
          throw new Error('gone');
        },
      }),
      { replies: { data: reply(250, '2.6.0', 'queued') } },
    );
    expect(answers[2]).toBe('250 2.6.0 queued');
  });
});

describe('a body that a filter made', () => {
  const body = (size: number, ...chunks: unknown[]): Body => ({
    size,
    async *chunks() {
      yield* chunks as Buffer[];
    },
    retain: () => () => undefined,
  });

  it('is read in chunks', async () => {
    const { chain } = await answersOf(() => ({
      data: (_, _body, next) => next(body(4, Buffer.from('ab'), Buffer.from('cd'))),
    }));
    expect(String(chain.reached.data[0])).toBe('abcd');
  });

  it.each([
    ['too short', body(5, Buffer.from('abcd')), 'passed on a body of 5 bytes that has others'],
    ['too long', body(3, Buffer.from('abcd')), 'passed on a body of 3 bytes that has others'],
    ['made of text', body(4, 'abcd'), "a body yields buffers, not 'abcd'"],
  ])('that is %s is not delivered', async (_, made, why) => {
    const { answers, chain } = await answersOf(() => ({ data: (_tx, _body, next) => next(made) }));
    expect(answers[2]).toBe(FAILED);
    expect(String(chain.log[0]?.fields.error)).toContain(why);
    expect(chain.reached.data).toEqual([]);
  });

  it.each([
    ['text', MESSAGE],
    ['without a size', { ...memoryBody(Buffer.from('x')), size: undefined }],
    ['with a wrong buffer', { ...memoryBody(Buffer.from('x')), size: 2 }],
  ])('that is %s is not passed on', async (_, made) => {
    const { answers, chain } = await answersOf(() => ({ data: (_tx, _body, next) => next(made as never) }));
    expect(answers[2]).toBe(FAILED);
    expect(chain.reached.data).toEqual([]);
  });
});

describe('a filter that hangs', () => {
  const hangs = (): Filter => ({ mail: () => new Promise(() => undefined) });

  it('is answered for after five minutes', async () => {
    const clock = new FakeClock();
    const chain = await chainWith(hangs, { deps: { clock } });
    const answer = chain.mail('a@x.test');
    await clock.advance(300_000);
    expect(formatResponse(await answer)).toBe(FAILED);
    expect(String(chain.log[0]?.fields.error)).toContain('did not answer within 300 seconds');
  });

  it('does not hold up the end of its transaction', async () => {
    const chain = await chainWith(hangs);
    const answer = chain.mail('a@x.test');
    await chain.close();
    expect((await answer).code).toBe(450);
  });

  it('may wait for the next hop for as long as that takes', async () => {
    const clock = new FakeClock();
    let answer: (response: Response) => void = () => undefined;
    const slow = new Promise<Response>((resolve) => {
      answer = resolve;
    });
    const chain = await chainWith(() => ({ mail: (_, from, next) => next(from) }), {
      replies: {
        get mail() {
          return slow as unknown as Response;
        },
      },
      deps: { clock },
    });
    const mail = chain.mail('a@x.test');
    await clock.advance(3_000_000);
    answer(reply(250, '2.1.0', 'at last'));
    expect(formatResponse(await mail)).toBe('250 2.1.0 at last');
  });
});
