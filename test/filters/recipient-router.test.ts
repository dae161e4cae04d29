/** Routers in a chain: who is routed where, who does not exist, and what is refused at load. */
import { describe, expect, it } from 'vitest';
import type { RestEndpointConfig } from '../../src/lib/config/router-config.ts';
import { type ChainAsk, chainOf, mistakesOf, openChain, type StepYaml } from '../helpers/chain.ts';

const gateway: RestEndpointConfig = {
  name: 'gateway',
  endpoint: 'http://gw:8001/senders/out/transactions',
  sender: 'out',
  tag: 'mx',
  options: { keep: { deep: 1 }, shared: 'endpoint' },
};
const app: RestEndpointConfig = { name: 'app', endpoint: 'http://app:8002/mail', sender: 'app', options: {} };
const restEndpoints = [gateway, app];

const destDomain: StepYaml = {
  filter: 'router',
  policy: { name: 'dest_domain', destination: { endpoint: 'gateway' } },
};
const nobodyElse: StepYaml = { filter: 'router' };

async function route(steps: readonly StepYaml[], address: string) {
  const chain = openChain({ steps, restEndpoints });
  await chain.mail('a@sender.test');
  return { answer: await chain.rcpt(address), route: chain.tx.route, reached: chain.reached.rcpt.length };
}

describe('dest_domain', () => {
  it.each([
    ['user@Example.TEST', 'example.test'],
    ['user@[192.0.2.1]', '192.0.2.1'],
    ['user@[IPv6:2001:db8::1]', '2001:db8::1'],
    ['"odd @ name"@example.test', 'example.test'],
    ['ü@bücher.test', 'bücher.test'],
  ])('routes %s to %s', async (address, host) => {
    expect(await route([destDomain], address)).toMatchObject({
      answer: '250 2.0.0 ok',
      route: { endpoint: gateway.endpoint, sender: 'out', tag: 'mx', hosts: [{ host, port: 25 }] },
    });
  });

  it.each(['nobody', 'a@', '<a@b.test', 'a@b..test', 'a@b.test>', 'a@b.test,c@d.test', 'postmaster'])(
    'does not know %s',
    async (address) => {
      expect(await route([destDomain, nobodyElse], address)).toEqual({
        answer: '550 5.1.1 mailbox does not exist',
        route: undefined,
        reached: 0,
      });
    },
  );

  it('takes another port', async () => {
    const policy = { name: 'dest_domain', dest_port: 3025, destination: { endpoint: 'gateway' } };
    const { route: taken } = await route([{ filter: 'router', policy }], 'u@d.test');
    expect(taken?.hosts).toEqual([{ host: 'd.test', port: 3025 }]);
  });
});

describe('address_list', () => {
  const list = (rest: object, destination?: unknown): StepYaml => ({
    filter: 'router',
    policy: { name: 'address_list', ...rest, ...(destination !== undefined && { destination }) },
  });
  const inApp = { endpoint: 'app' };

  it.each([
    [{ domains: ['example.test'] }, 'any@EXAMPLE.test', true],
    [{ domains: ['Example.Test'] }, 'any@example.test', true],
    [{ domains: ['example.test'] }, 'any@sub.example.test', false],
    [{ prefixes: ['news'] }, 'NEWS@anywhere.test', true],
    [{ prefixes: ['news'] }, 'news+2026@anywhere.test', false],
    [{ prefixes: ['news'], delimiter: '+' }, 'news+2026@anywhere.test', true],
    [{ prefixes: ['news'], delimiter: '+' }, 'newsletter@anywhere.test', false],
    [{ domains: ['example.test'], prefixes: ['news'] }, 'news@other.test', false],
    [{}, 'whoever@wherever.test', true],
    [{}, 'no address', false],
    [{ domains: null, prefixes: null, delimiter: null }, 'whoever@wherever.test', true],
  ])('with %j: %s is listed: %s', async (options, address, isListed) => {
    const { answer } = await route([list(options, inApp), nobodyElse], address);
    expect(answer.startsWith('250')).toBe(isListed);
  });

  it('without a destination says that the listed do not exist, and lets the others pass', async () => {
    const steps = [list({ domains: ['gone.test'] }), destDomain];
    expect((await route(steps, 'u@gone.test')).answer).toBe('550 5.1.1 mailbox does not exist');
    expect((await route(steps, 'u@here.test')).answer).toBe('250 2.0.0 ok');
  });

  it('goes to the hosts of its destination', async () => {
    const destination = { endpoint: 'gateway', host_list: [{ host: 'a.test', port: 2525 }] };
    expect((await route([list({}, destination)], 'u@d.test')).route?.hosts).toEqual([{ host: 'a.test', port: 2525 }]);
  });
});

describe('several routers', () => {
  it('the first that knows a recipient routes it, later ones let it pass', async () => {
    const listed = {
      filter: 'router',
      policy: { name: 'address_list', domains: ['ours.test'], destination: { endpoint: 'app' } },
    };
    expect((await route([listed, destDomain, nobodyElse], 'u@ours.test')).route?.endpoint).toBe(app.endpoint);
    expect((await route([listed, destDomain, nobodyElse], 'u@far.test')).route?.endpoint).toBe(gateway.endpoint);
  });

  it('without a policy the destination takes everybody who was not routed before', async () => {
    const { answer, route: taken } = await route([{ filter: 'router', destination: { endpoint: 'app' } }], 'whatever');
    expect(answer).toBe('250 2.0.0 ok');
    expect(taken).toEqual({ endpoint: app.endpoint, sender: 'app', hosts: [], options: {} });
  });

  it('a dry run finds out who exists and sets no route', async () => {
    const policy = { name: 'address_list', domains: ['ours.test'], destination: null };
    const steps = [{ filter: 'router', dry_run: true, policy }, nobodyElse];
    expect(await route(steps, 'u@ours.test')).toEqual({ answer: '250 2.0.0 ok', route: undefined, reached: 1 });
    expect((await route(steps, 'u@far.test')).answer).toMatch(/^550 5\.1\.1 /);
  });

  it('a second attempt of the same recipients is routed as the first one was', async () => {
    const open = chainOf({ steps: [destDomain, nobodyElse], restEndpoints });
    const to = { address: 'u@d.test', params: [] };
    for (const chain of [open(), open()]) {
      await chain.mail('');
      expect((await chain.exchange.rcpt(to)).code).toBe(250);
      expect(chain.tx.route?.hosts).toEqual([{ host: 'd.test', port: 25 }]);
    }
  });
});

describe('several recipients of one transaction', () => {
  it('may share a route', async () => {
    const chain = openChain({ steps: [destDomain], restEndpoints });
    await chain.mail('');
    expect(await Promise.all([chain.rcpt('a@d.test'), chain.rcpt('b@D.test')])).toEqual([
      '250 2.0.0 ok',
      '250 2.0.0 ok',
    ]);
  });

  it('the odd one is asked to come separately', async () => {
    const chain = openChain({ steps: [destDomain], restEndpoints });
    await chain.mail('');
    expect(await chain.rcpt('a@one.test')).toBe('250 2.0.0 ok');
    expect(await chain.rcpt('b@two.test')).toMatch(/^452 4\.5\.3 /);
    expect(await chain.rcpt('c@one.test')).toBe('250 2.0.0 ok');
    expect(chain.reached.rcpt.map(({ address }) => address)).toEqual(['a@one.test', 'c@one.test']);
  });
});

describe('options of a route', () => {
  it('are those of the endpoint under those of the destination, and no route sees the ones of another', async () => {
    const listed = {
      filter: 'router',
      policy: {
        name: 'address_list',
        domains: ['ours.test'],
        destination: { endpoint: 'gateway', options: { receive_parsing: null, shared: 'destination' } },
      },
    };
    const open = chainOf({ steps: [listed, destDomain, { filter: 'message_parser' }], restEndpoints });
    const optionsFor = async (address: string) => {
      const chain = open();
      await chain.mail('');
      await chain.rcpt(address);
      return chain.tx.route?.options;
    };
    const ours = { keep: { deep: 1 }, shared: 'destination', receive_parsing: null };
    expect(await optionsFor('u@ours.test')).toEqual(ours);
    expect(await optionsFor('u@far.test')).toEqual({ keep: { deep: 1 }, shared: 'endpoint' });
    expect(await optionsFor('u@ours.test')).toEqual(ours);
    expect((await optionsFor('u@far.test'))?.keep).not.toBe(gateway.options.keep);
    expect(gateway.options).toEqual({ keep: { deep: 1 }, shared: 'endpoint' });
  });

  it('may be left empty', async () => {
    const step = { filter: 'router', destination: { endpoint: 'app', options: null } };
    expect((await route([step], 'u@d.test')).route?.options).toEqual({});
  });
});

describe('at load', () => {
  const refused = (step: StepYaml): ReturnType<typeof mistakesOf> =>
    mistakesOf({ steps: [step], restEndpoints } as ChainAsk);

  it('an unknown rest endpoint is a mistake, with the nearest name', () => {
    expect(refused({ filter: 'router', destination: { endpoint: 'gatway' } })).toEqual([
      {
        path: ['chain', 0, 'destination', 'endpoint'],
        message: "unknown rest_endpoint 'gatway'",
        suggestion: 'gateway',
      },
    ]);
  });

  it('a URL where older files had one is explained', () => {
    const policy = { name: 'dest_domain', destination: { endpoint: 'http://gw:8001' } };
    expect(refused({ filter: 'router', policy })).toMatchObject([
      { path: ['chain', 0, 'policy', 'destination', 'endpoint'], message: expect.stringContaining('not a URL') },
    ]);
  });

  it('an unknown policy, and an unknown option of a policy, name the nearest', () => {
    expect(refused({ filter: 'router', policy: { name: 'dest_domian' } })).toMatchObject([
      { path: ['chain', 0, 'policy', 'name'], suggestion: 'dest_domain' },
    ]);
    expect(refused({ filter: 'router', policy: { name: 'address_list', domain: ['x.test'] } })).toMatchObject([
      { path: ['chain', 0, 'policy'], key: 'domain', suggestion: 'domains' },
    ]);
  });

  it('a destination beside a policy is a mistake', () => {
    const step = { filter: 'router', policy: { name: 'dest_domain' }, destination: { endpoint: 'app' } };
    expect(refused(step)).toMatchObject([{ path: ['chain', 0], key: 'destination' }]);
  });

  it('all mistakes are reported together', () => {
    const policy = { name: 'address_lst', destination: { endpoint: 'nowhere' } };
    expect(refused({ filter: 'router', policy })).toHaveLength(2);
  });
});

describe('a next hop that wants the message parsed', () => {
  const app = {
    name: 'app',
    endpoint: 'http://app.test/senders/router/transactions',
    sender: 'router',
    options: { receive_parsing: null },
  };
  const route = { filter: 'router', destination: { endpoint: 'app' } };

  it('needs the step that parses it', () => {
    expect(mistakesOf({ steps: [route], restEndpoints: [app] })).toEqual([
      {
        path: ['chain', 0, 'destination'],
        message: "the next hop wants the message parsed (receive_parsing): add 'filter: message_parser' to this chain",
      },
    ]);
    expect(mistakesOf({ steps: [route, { filter: 'message_parser' }], restEndpoints: [app] })).toEqual([]);
  });

  it('needs nothing where it is only asked whether the recipient exists', () => {
    expect(mistakesOf({ steps: [{ ...route, dry_run: true }], restEndpoints: [app] })).toEqual([]);
  });
});
