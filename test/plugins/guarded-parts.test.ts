/** Matchers, routing policies, outputs and signals of a plugin: what they may do, and what comes of what they do wrong. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  defineFilter,
  defineMatcher,
  defineOutput,
  definePlugin,
  defineRoutingPolicy,
  type Exchange,
  openTestChain,
  type Plugin,
  type RoutingVerdict,
  reply,
  type SignalType,
  signals,
  type Verdict,
  z,
} from '../../src/index.ts';
import { formatResponse } from '../../src/lib/core/response.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

/** A fact of a plugin's own. */
const weight: SignalType<number> = { wireName: 'example.weight', name: 'weight', toJson: (grams) => ({ grams }) };

const scales = definePlugin({
  name: 'scales',
  filters: [
    defineFilter({
      name: 'weigh',
      summary: 'Weighs the message.',
      config: z.strictObject({ factor: z.number().default(1) }),
      produces: [weight],
      create: (c) => () => ({
        data: (tx, body, next) => {
          tx.signals.set(weight, body.size * c.factor);
          return next(body);
        },
      }),
    }),
  ],
  matchers: [
    defineMatcher({
      name: 'heavy',
      summary: 'The message is heavier than this.',
      config: z.strictObject({ than: z.number() }),
      reads: 'data',
      consumes: [weight],
      create: (c) => (tx) => {
        const grams = tx.signals.get(weight);
        if (grams === undefined) return 'unmet';
        return grams > c.than ? 'match' : 'noMatch';
      },
    }),
  ],
});

const tooHeavy = {
  filter: 'policy_action',
  tag: 'heavy',
  match: { matcher: 'heavy', than: 10 },
  action: 'REJECT',
  code: 552,
  message: '5.3.4 too heavy',
};

async function send(plugin: Plugin, chain: Parameters<typeof openTestChain>[0]['chain'], message = 'x'.repeat(20)) {
  const opened = await openTestChain({ plugins: [plugin], chain });
  const mail = await opened.mail('a@x.test');
  const rcpt = await opened.rcpt('b@y.test');
  const data = await opened.data(message);
  return { ...opened, answers: [mail, rcpt, data].map(formatResponse) };
}

describe("a plugin's signal", () => {
  it("is read by a plugin's matcher, and seen on the wire", async () => {
    const heavy = await send(scales, [{ filter: 'weigh' }, tooHeavy]);
    expect(heavy.answers[2]).toBe('552 5.3.4 too heavy');
    expect(heavy.signals['example.weight']).toEqual({ grams: 20 });
    const light = await send(scales, [{ filter: 'weigh', factor: 0.1 }, tooHeavy]);
    expect(light.answers[2]).toBe('250 2.0.0 ok');
  });

  it('has to be produced before it is read, which is checked at load', async () => {
    await expect(send(scales, [tooHeavy, { filter: 'weigh' }])).rejects.toThrow(
      'the matcher heavy reads what the filter weight finds out; put that filter before this policy',
    );
  });

  it.each([
    ['no JSON', () => undefined, 'the signal strange has no JSON form'],
    ['a circle', () => Object.assign([], { 0: null }) && circle, 'circular'],
    ['a number without end', () => 2n, 'BigInt'],
    ['very much', () => 'x'.repeat(70_000), 'has more than 65536 bytes'],
  ])('that is %s is a fault of the plugin', async (_, toJson, why) => {
    const strange: SignalType<number> = { wireName: 'strange', name: 'strange', toJson };
    const setter = defineFilter({
      name: 'setter',
      summary: 's',
      produces: [strange],
      create: () => () => ({
        mail: (tx, from, next) => {
          tx.signals.set(strange, 1);
          return next(from);
        },
      }),
    });
    const { answers, log, signals: seen } = await send({ name: 'odd', filters: [setter] }, [{ filter: 'setter' }]);
    expect(answers[0]).toBe('451 4.3.0 a filter failed, try again later');
    expect(String(log[0]?.fields.error)).toContain(why);
    expect(seen).toEqual({});
  });

  it('has to be named by the filter that sets it', async () => {
    const sly = defineFilter({
      name: 'sly',
      summary: 's',
      create: () => () => ({
        mail: (tx, from, next) => {
          tx.signals.set(weight, 1);
          return next(from);
        },
      }),
    });
    const { answers, log } = await send({ name: 'odd', filters: [sly] }, [{ filter: 'sly' }]);
    expect(answers[0]).toMatch(/^451 /);
    expect(String(log[0]?.fields.error)).toContain("the signal weight is not named under 'produces'");
  });

  it('of the program can be read, and each of them is exported', () => {
    const folder = path.resolve(import.meta.dirname, '../../src/lib/core/signals');
    expect(Object.keys(signals)).toHaveLength(readdirSync(folder).length);
  });
});

const circle: { self?: unknown } = {};
circle.self = circle;

describe("a plugin's matcher", () => {
  const strange = (answer: () => Verdict): Plugin => ({
    name: 'odd',
    matchers: [defineMatcher({ name: 'strange', summary: 's', reads: 'mail', create: () => answer })],
  });
  const policy = [{ filter: 'policy_action', tag: 't', match: { matcher: 'strange' }, action: 'REJECT' }];

  it.each([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
      'the matcher strange of the plugin odd threw Error: boom',
    ],
    ['answers true', () => true as unknown as Verdict, "expected 'match', 'noMatch' or 'unmet', not true"],
    ['answers a promise', (async () => 'match') as unknown as () => Verdict, 'not a promise'],
  ] satisfies [string, () => Verdict, string][])(
    'that %s fails the step, and lets nothing pass',
    async (_, answer, why) => {
      const chain = await openTestChain({ plugins: [strange(answer)], chain: policy });
      await expect(chain.mail('a@x.test')).rejects.toThrow(why);
      expect(chain.reached.mail).toEqual([]);
    },
  );

  it('can ask about each recipient', async () => {
    const plugin: Plugin = {
      name: 'odd',
      matchers: [
        defineMatcher({
          name: 'strange',
          summary: 's',
          reads: 'rcpt',
          perRcpt: true,
          create: () => (_, rcpt) => (rcpt?.to.address === 'b@y.test' ? 'match' : 'noMatch'),
        }),
      ],
    };
    const perRcpt = [{ ...policy[0], filter: 'policy_action', mode: 'PER_RCPT' }];
    const { answers } = await send(plugin, perRcpt);
    expect(answers[1]).toMatch(/^550 /);
    await expect(send(plugin, policy)).rejects.toThrow('add `mode: PER_RCPT` to the policy');
  });
});

describe("a plugin's routing policy", () => {
  const routing = (answer: () => RoutingVerdict | Promise<RoutingVerdict>): Plugin => ({
    name: 'odd',
    routingPolicies: [defineRoutingPolicy({ name: 'strange', summary: 's', create: () => answer })],
  });
  const router = [{ filter: 'router', policy: { name: 'strange', destination: { options: { x: 1 } } } }];

  it('routes, after a while if it must', async () => {
    const { tx, answers } = await send(
      routing(async () => ({ kind: 'route', hosts: [{ host: 'mx.y.test', port: 25 }] })),
      router,
    );
    expect(answers[1]).toBe('250 2.0.0 ok');
    expect(tx.route).toEqual({ hosts: [{ host: 'mx.y.test', port: 25 }], options: { x: 1 } });
  });

  it('rejects, or leaves the recipient to the next router', async () => {
    const rejecting = routing(() => ({ kind: 'reject', response: reply(550, '5.1.1', 'moved') }));
    expect((await send(rejecting, router)).answers[1]).toBe('550 5.1.1 moved');
    const passing = await send(
      routing(() => ({ kind: 'pass' })),
      [...router, { filter: 'router' }],
    );
    expect(passing.answers[1]).toBe('550 5.1.1 mailbox does not exist');
  });

  it.each([
    ['throws', () => Promise.reject(new Error('boom')), 'threw Error: boom'],
    ['answers nothing', () => undefined as unknown as RoutingVerdict, 'expected a verdict'],
    [
      'answers a host without a port',
      () => ({ kind: 'route', hosts: [{ host: 'x' }] }) as unknown as RoutingVerdict,
      '{host, port}',
    ],
    ['rejects with nonsense', () => ({ kind: 'reject', response: 5 }) as unknown as RoutingVerdict, 'expected a reply'],
  ])('that %s puts this recipient off', async (_, answer, why) => {
    const { answers, log, reached } = await send(routing(answer), router);
    expect(answers[1]).toBe('451 4.3.0 a filter failed, try again later');
    expect(log[0]).toMatchObject({ fields: { plugin: 'odd', policy: 'strange' } });
    expect(String(log[0]?.fields.error)).toContain(why);
    expect(reached.rcpt).toEqual([]);
  });

  it('that hangs puts the recipient off after five minutes', async () => {
    const clock = new FakeClock();
    const plugin = routing(() => new Promise(() => undefined));
    const chain = await openTestChain({ plugins: [plugin], chain: router, deps: { clock } });
    await chain.mail('a@x.test');
    const answer = chain.rcpt('b@y.test');
    await clock.advance(300_000);
    expect((await answer).code).toBe(451);
  });
});

describe("a plugin's output", () => {
  const ending = (open: () => Exchange): Plugin => ({
    name: 'odd',
    outputs: [defineOutput({ name: 'sink', summary: 's', create: () => open })],
  });
  const ok = async () => reply(250, '2.0.0', 'sunk');
  const sink: Exchange = { mail: ok, rcpt: ok, data: ok, close: async () => undefined };

  it('answers for the chain that ends in it', async () => {
    const { answers } = await send(
      ending(() => sink),
      [{ filter: 'sink' }],
    );
    expect(answers).toEqual(['250 2.0.0 sunk', '250 2.0.0 sunk', '250 2.0.0 sunk']);
  });

  it('ends a chain, so that nothing may stand behind it', async () => {
    const chain = [{ filter: 'sink' }, { filter: 'received_header' }];
    await expect(
      send(
        ending(() => sink),
        chain,
      ),
    ).rejects.toThrow("'sink' ends a chain, nothing can come after it");
  });

  it('that fails is answered 451, and close() that fails is only logged', async () => {
    const boom = async () => {
      throw new Error('boom');
    };
    const { answers, log, close } = await send(
      ending(() => ({ ...sink, data: boom, close: boom })),
      [{ filter: 'sink' }],
    );
    expect(answers[2]).toBe('451 4.3.0 a filter failed, try again later');
    await close();
    expect(log.map(({ text }) => text)).toEqual(['a plugin failed', 'a plugin failed to close']);
  });

  it('that is no exchange is answered 451', async () => {
    const { answers, log } = await send(
      ending(() => ({ mail: ok }) as unknown as Exchange),
      [{ filter: 'sink' }],
    );
    expect(answers[0]).toBe('451 4.3.0 a filter failed, try again later');
    expect(String(log[0]?.fields.error)).toContain('an exchange needs rcpt()');
  });
});

describe('a route that a filter sets', () => {
  const setting = (route: unknown): Plugin => ({
    name: 'odd',
    filters: [
      defineFilter({
        name: 'setter',
        summary: 's',
        create: () => () => ({
          rcpt: (tx, to, next) => {
            tx.route = route as NonNullable<typeof tx.route>;
            return next(to);
          },
        }),
      }),
    ],
  });

  it('is the route of the transaction', async () => {
    const route = { endpoint: 'http://gw:8001/senders/s/transactions', hosts: [], options: {} };
    const { tx } = await send(setting(route), [{ filter: 'setter' }]);
    expect(tx.route).toEqual(route);
  });

  it.each([[5], [{ hosts: 'x', options: {} }], [{ hosts: [] }], [{ endpoint: 5, hosts: [], options: {} }]])(
    'that is nonsense is a fault: %j',
    async (route) => {
      const { answers, tx } = await send(setting(route), [{ filter: 'setter' }]);
      expect(answers[1]).toMatch(/^451 /);
      expect(tx.route).toBeUndefined();
    },
  );
});
