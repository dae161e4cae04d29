/** Compiling a chain: what is refused at load, and what an opened chain does. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type CompileEnv, compileChain } from '../../src/lib/chain/compile.ts';
import { compileRouter } from '../../src/lib/chain/compile-router.ts';
import { type ChainEnv, defineFilter, defineOutput, type Step, type TxContext } from '../../src/lib/chain/filter.ts';
import { stepRegistry } from '../../src/lib/chain/step-registry.ts';
import { parseRouterConfig } from '../../src/lib/config/load.ts';
import type { RouterConfig } from '../../src/lib/config/router-config.ts';
import { ConfigError } from '../../src/lib/config/source.ts';
import { memoryBody } from '../../src/lib/core/body.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { reply } from '../../src/lib/core/response.ts';
import type { SignalType } from '../../src/lib/core/signal.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';

const weather: SignalType<string> = { wireName: 'test.Weather', name: 'weather', toJson: (value) => ({ value }) };
const ok = reply(250, '2.0.0', 'ok');

/** What the output saw, so that tests look at the chain from outside. */
interface Seen {
  readonly contexts: TxContext[];
  readonly closed: string[];
}

function steps(seen: Seen = { contexts: [], closed: [] }): Step[] {
  const exchange = (tx: TxContext): Exchange => ({
    mail: () => Promise.resolve(ok),
    rcpt: (to) => Promise.resolve(to.address.startsWith('no') ? reply(550, '5.1.1', 'no such user') : ok),
    data: () => Promise.resolve(ok),
    close: () => {
      seen.closed.push(tx.id);
      return Promise.resolve();
    },
  });
  const open = (tx: TxContext): Exchange => {
    seen.contexts.push(tx);
    return exchange(tx);
  };
  return [
    defineFilter({
      name: 'observe',
      aliases: ['watch'],
      summary: 'sets the weather',
      config: z.strictObject({ weather: z.string().default('rain') }),
      produces: [weather],
      create: (c) => () => ({
        mail(tx, from, next) {
          tx.signals.set(weather, c.weather);
          return next(from);
        },
      }),
    }),
    defineFilter({
      name: 'judge',
      summary: 'needs the weather',
      config: z.strictObject({ tag: z.string(), reject: z.array(z.string()).default([]) }),
      policy: (c) => ({ tag: c.tag, rule: c.tag, phase: 'mail', perRcpt: false, actions: new Set(['REJECT']) }),
      create: (c, env: ChainEnv) => {
        if (!env.earlier.signals.has(weather)) {
          throw new ConfigError([{ path: ['reject', 0], message: 'nothing before this step observes the weather' }]);
        }
        if (env.earlier.policies.some(({ tag }) => tag === c.tag))
          throw new ConfigError([{ path: ['tag'], message: 'tag is taken' }]);
        return () => ({
          mail: (tx, from, next) =>
            c.reject.includes(tx.signals.get(weather) ?? '') ? Promise.resolve(reply(550, '5.7.1', 'wet')) : next(from),
        });
      },
    }),
    defineOutput({ name: 'away', summary: 'ends', incremental: false, config: z.strictObject({}), create: () => open }),
    defineOutput({
      name: 'burst',
      summary: 'splits',
      incremental: true,
      config: z.strictObject({}),
      create: () => open,
    }),
  ];
}

function config(chain: string, sender = ''): RouterConfig {
  return parseRouterConfig(
    `rest_listener: {addr: [localhost, 8000], session_uri: http://localhost:8000}
storage: {url: sqlite:///x.sqlite}
sender:
- name: app
  output_chain: main
  tag: [{name: out, output_chain: plain}]
${sender}
endpoint:
- name: plain
  chain: [{filter: away}]
- name: main
  chain:
${chain}`,
    'router.yaml',
  );
}

/** The steps here name no matchers and no routing policies. */
const NOTHING_NAMED = { matchers: [], routingPolicies: [] };

const notUsed = (): never => {
  throw new Error('not used at load');
};
const routerEnv = { deps: fakeDeps(), hop: notUsed, children: { open: notUsed, adopt: notUsed, store: notUsed } };

function compileErrors(chain: string, sender?: string): string {
  try {
    compileRouter(config(chain, sender), stepRegistry(steps(), NOTHING_NAMED), routerEnv);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

function compileMain(chain: string, seen?: Seen) {
  const { chains, senders, restEndpoints } = config(chain);
  const main = chains.get('main');
  const sender = senders.get('app')?.untagged;
  if (main === undefined || sender === undefined) throw new Error('the test configuration has both');
  const env: CompileEnv = { ...routerEnv, restEndpoints, senders, resolvePath: (path) => path };
  return compileChain(main, sender, env, stepRegistry(steps(seen), NOTHING_NAMED));
}

describe('compiling a chain', () => {
  it('accepts filters before one output, by name or alias', () => {
    expect(compileErrors('  - filter: watch\n  - {filter: judge, tag: a}\n  - filter: away')).toBe('');
  });

  it.each([
    [
      'an unknown filter',
      '  - filter: obsrve\n  - filter: away',
      "13:13: unknown filter 'obsrve' (did you mean 'observe'?)",
    ],
    [
      'an unknown option',
      '  - {filter: observe, wether: sun}\n  - filter: away',
      "13:23: unknown key 'wether' (did you mean 'weather'?)",
    ],
    ['a wrong option', '  - {filter: observe, weather: 3}\n  - filter: away', "13:32: 'weather': expected text, not 3"],
    [
      'a missing option',
      '  - filter: observe\n  - filter: judge\n  - filter: away',
      "14:5: missing 'tag': expected text",
    ],
    [
      'no output',
      '  - filter: observe',
      "13:5: the chain 'main' must end in an output, such as 'rest_output' or 'exploder'",
    ],
    [
      'an output that is not last',
      '  - filter: away\n  - filter: observe',
      "13:5: 'away' ends a chain, nothing can come after it",
    ],
    ['two outputs', '  - filter: away\n  - filter: burst', "13:5: 'away' ends a chain, nothing can come after it"],
    [
      'a consumer before its producer',
      '  - {filter: judge, tag: a, reject: [rain]}\n  - filter: observe\n  - filter: away',
      '13:38: nothing before this step observes the weather',
    ],
    [
      'a policy name that stands twice',
      '  - filter: observe\n  - {filter: judge, tag: a}\n  - {filter: judge, tag: a}\n  - filter: away',
      '15:26: tag is taken',
    ],
  ])('refuses %s, with its place', (_, chain, expected) => {
    expect(compileErrors(chain)).toBe(`router.yaml:${expected}`);
  });

  it('reports all mistakes of all chains at once, each only once', () => {
    const text = compileErrors(
      '  - filter: nothing\n  - {filter: observe, a: 1}\n  - filter: awya',
      '- {name: b, output_chain: main}',
    );
    expect(text.split('\n').map((line) => line.split(': ').slice(1).join(': '))).toEqual([
      "unknown filter 'nothing'",
      "unknown key 'a' (known here: weather)",
      "unknown filter 'awya' (did you mean 'away'?)",
    ]);
  });

  it('refuses an exploder that leads back to itself', () => {
    expect(compileErrors('  - filter: burst')).toMatch(/^router\.yaml:4:3: the exploder leads back to itself/);
    expect(compileErrors('  - filter: burst', '  upstream_tag: out')).toBe('');
  });

  it('lets a bug in a step through as what it is', () => {
    const broken = defineFilter({
      name: 'broken',
      summary: 'throws',
      config: z.strictObject({}),
      create: () => {
        throw new RangeError('bug');
      },
    });
    const registry = stepRegistry([...steps(), broken], NOTHING_NAMED);
    expect(() => compileRouter(config('  - filter: broken\n  - filter: away'), registry, routerEnv)).toThrow(
      RangeError,
    );
  });
});

describe('a compiled router', () => {
  it('finds the chain of a sender and of its tags, and none for an unknown tag', () => {
    const router = compileRouter(
      config('  - filter: burst', '  upstream_tag: out'),
      stepRegistry(steps(), NOTHING_NAMED),
      routerEnv,
    );
    expect(router.find('app', undefined)?.chain.incremental).toBe(true);
    expect(router.find('app', 'out')?.chain.incremental).toBe(false);
    expect(router.find('app', 'nope')).toBeUndefined();
    expect(router.find('nobody', undefined)).toBeUndefined();
  });
});

describe('an opened chain', () => {
  const init = { id: 'tx1', origin: {}, log: fakeDeps().log };

  it('runs its filters and tells of the signals they set, in wire form', async () => {
    const heard: unknown[] = [];
    const chain = compileMain('  - filter: observe\n  - {filter: judge, tag: a, reject: [rain]}\n  - filter: away');
    const exchange = chain.open({ ...init, onSignal: (name, json) => heard.push([name, json]) });
    expect(await exchange.mail(mailbox('a@example.com'))).toMatchObject({ code: 550, text: 'wet' });
    expect(heard).toEqual([['test.Weather', { value: 'rain' }]]);
  });

  it('shows its filters what was asked and answered so far', async () => {
    const seen: Seen = { contexts: [], closed: [] };
    const exchange = compileMain('  - filter: away', seen).open({
      ...init,
      origin: { remoteHost: { host: '::1', port: 2 } },
    });
    await exchange.mail(mailbox('a@example.com'));
    await exchange.rcpt(mailbox('b@example.com'));
    await exchange.rcpt(mailbox('no@example.com'));
    await exchange.data(memoryBody(Buffer.from('x')));
    const [tx] = seen.contexts;
    expect(tx).toMatchObject({ id: 'tx1', sender: { name: 'app' }, remoteHost: { host: '::1', port: 2 } });
    expect(tx?.mailFrom?.address).toBe('a@example.com');
    expect(tx?.rcptTo.map((to) => to.address)).toEqual(['b@example.com', 'no@example.com']);
    expect(tx?.rcptReplies.map((r) => r?.code)).toEqual([250, 550]);
  });

  it('keeps transactions apart, and aborts the waits of the one that is closed', async () => {
    const seen: Seen = { contexts: [], closed: [] };
    const chain = compileMain('  - filter: observe\n  - filter: away', seen);
    const first = chain.open(init);
    chain.open({ ...init, id: 'tx2' });
    await first.mail(mailbox(''));
    await first.close();
    expect(seen.contexts.map((tx) => tx.signal.aborted)).toEqual([true, false]);
    expect(seen.contexts.map((tx) => tx.signals.get(weather))).toEqual(['rain', undefined]);
    expect(seen.closed).toEqual(['tx1']);
  });

  it('lets the configured connection facts of a sender win (short circuit)', () => {
    const seen: Seen = { contexts: [], closed: [] };
    const { chains, senders, restEndpoints } = config(
      '  - filter: away',
      '  remote_host: 192.0.2.1\n  smtp_meta: {ehlo_host: here}',
    );
    const main = chains.get('main');
    const sender = senders.get('app')?.untagged;
    if (main === undefined || sender === undefined) throw new Error('the test configuration has both');
    const env: CompileEnv = { ...routerEnv, restEndpoints, senders, resolvePath: (path) => path };
    compileChain(main, sender, env, stepRegistry(steps(seen), NOTHING_NAMED)).open({
      ...init,
      origin: { remoteHost: { host: '198.51.100.7', port: 99 } },
    });
    expect(seen.contexts[0]).toMatchObject({
      remoteHost: { host: '192.0.2.1', port: 99 },
      smtpMeta: { ehloHost: 'here' },
    });
  });
});
