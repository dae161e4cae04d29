/** DNS resolution in a chain: what the next hop is offered, and what is observed without being judged. */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { RestEndpointConfig } from '../../src/lib/config/router-config.ts';
import { dnsResolutionSignal } from '../../src/lib/core/signals/dns-resolution.ts';
import { openChain, type StepYaml } from '../helpers/chain.ts';
import { fakeDns, seededRng, type Zone } from '../helpers/fake-deps.ts';

const zone: Zone = {
  mx: {
    'two.test': [
      { exchange: 'b.two.test', preference: 20 },
      { exchange: 'a.two.test', preference: 10 },
    ],
    'null.test': [{ exchange: '', preference: 0 }],
    'half.test': [
      { exchange: 'broken.test', preference: 10 },
      { exchange: 'a.two.test', preference: 20 },
    ],
    'lost.test': [{ exchange: 'nowhere.test', preference: 10 }],
    'stuck.test': [
      { exchange: 'nowhere.test', preference: 10 },
      { exchange: 'broken.test', preference: 20 },
    ],
    'same.test': [
      { exchange: 'a.two.test', preference: 10 },
      { exchange: 'alias.two.test', preference: 10 },
    ],
  },
  addresses: {
    'a.two.test': ['192.0.2.1', '2001:db8::1'],
    'b.two.test': ['192.0.2.2'],
    'alias.two.test': ['192.0.2.1'],
    'plain.test': ['192.0.2.9'],
  },
  failing: ['broken.test', 'dark.test'],
};

const app: RestEndpointConfig = { name: 'gw', endpoint: 'http://gw/x', sender: 'out', options: {} };
const toDomain: StepYaml = {
  filter: 'router',
  policy: { name: 'dest_domain', dest_port: 2525, destination: { endpoint: 'gw' } },
};
const toHosts = (...hosts: string[]): StepYaml => ({
  filter: 'router',
  destination: { endpoint: 'gw', host_list: hosts.map((host) => ({ host, port: 25 })) },
});
const all: StepYaml = { filter: 'dns_resolution', suffix: '' };

async function resolve(steps: readonly StepYaml[], to: string, from = '') {
  const dns = fakeDns(zone);
  const chain = openChain({ steps, restEndpoints: [app], deps: { dns } });
  await chain.mail(from);
  const answer = await chain.rcpt(to);
  return {
    answer,
    hosts: chain.tx.resolution?.map(({ host, port }) => `${host} ${port}`),
    result: chain.tx.signals.get(dnsResolutionSignal)?.resolutionResult,
    chain,
    dns,
  };
}

describe('the hosts of the route', () => {
  it('are those of the MX by preference, each with all its addresses and the port of the route', async () => {
    const { hosts, result } = await resolve([toDomain, all], 'u@two.test');
    expect(hosts).toEqual(['192.0.2.1 2525', '2001:db8::1 2525', '192.0.2.2 2525']);
    expect(result).toBe('OK');
  });

  it('are the addresses of the domain when it has no MX', async () => {
    expect((await resolve([toDomain, all], 'u@plain.test')).hosts).toEqual(['192.0.2.9 2525']);
  });

  it('are named once, whatever leads to them', async () => {
    expect((await resolve([toDomain, all], 'u@same.test')).hosts?.toSorted()).toEqual([
      '192.0.2.1 2525',
      '2001:db8::1 2525',
    ]);
  });

  it('are what can be found when a part cannot', async () => {
    expect(await resolve([toDomain, all], 'u@half.test')).toMatchObject({
      hosts: ['192.0.2.1 2525', '2001:db8::1 2525'],
      result: 'OK',
    });
  });

  it('share the load when they are equally preferred', async () => {
    const mx = { 'x.test': ['one', 'two'].map((name) => ({ exchange: `${name}.test`, preference: 10 })) };
    const addresses = { 'one.test': ['192.0.2.1'], 'two.test': ['192.0.2.2'] };
    const firsts = new Set<string | undefined>();
    for (let seed = 0; seed < 20; seed += 1) {
      const deps = { dns: fakeDns({ mx, addresses }), rng: seededRng(seed) };
      const chain = openChain({ steps: [toDomain, all], restEndpoints: [app], deps });
      await chain.mail('');
      await chain.rcpt('u@x.test');
      firsts.add(chain.tx.resolution?.[0]?.host);
    }
    expect(firsts).toEqual(new Set(['192.0.2.1', '192.0.2.2']));
  });

  it.each([
    ['nowhere.test', 'NX'],
    ['null.test', 'NX'],
    ['lost.test', 'NX'],
    ['dark.test', 'TEMP'],
    ['stuck.test', 'TEMP'],
  ])(
    'for %s are none, with the result %s, and the recipient is passed on for others to judge',
    async (domain, result) => {
      expect(await resolve([toDomain, all], `u@${domain}`)).toMatchObject({
        answer: '250 2.0.0 ok',
        hosts: [],
        result,
      });
    },
  );

  it('that are addresses stay as they are', async () => {
    const { hosts, dns } = await resolve([toHosts('198.51.100.7', 'plain.test', '2001:db8::7'), all], 'u@two.test');
    expect(hosts).toEqual(['198.51.100.7 25', '192.0.2.9 25', '2001:db8::7 25']);
    expect(dns.calls.some((call) => call.includes('198.51'))).toBe(false);
  });

  it('are left alone when there are none', async () => {
    const { hosts, result } = await resolve([toHosts(), all], 'u@two.test');
    expect({ hosts, result }).toEqual({ hosts: undefined, result: undefined });
  });
});

describe('what is resolved', () => {
  it.each<[object, string, boolean]>([
    [{}, 'a.two.test', false],
    [{ suffix: '' }, 'a.two.test', true],
    [{ suffix: 'two.test' }, 'A.TWO.test', true],
    [{ suffix: '.two.test' }, 'a.two.test', true],
    [{ suffix: 'wo.test' }, 'a.two.test', false],
    [{ literal: 'A.two.test' }, 'a.two.test', true],
    [{ literal: 'two.test' }, 'a.two.test', false],
    [{ literal: 'a.two.test', overwrite: true }, 'a.two.test', true],
  ])('with %j: %s: %s', async (options, host, isResolved) => {
    const { hosts } = await resolve([toHosts(host), { filter: 'dns_resolution', ...options }], 'u@plain.test');
    expect(hosts).toEqual(isResolved ? ['192.0.2.1 25', '2001:db8::1 25'] : undefined);
  });

  it('static hosts replace a name without a question, with their own ports', async () => {
    const step = { filter: 'dns_resolution', literal: 'relay', static_hosts: [{ host: '192.0.2.50', port: 2500 }] };
    const { hosts, result, dns } = await resolve([toHosts('relay'), step], 'postmaster');
    expect({ hosts, result, calls: dns.calls }).toEqual({ hosts: ['192.0.2.50 2500'], result: 'OK', calls: [] });
  });

  it('a second resolution goes on where the first one stopped', async () => {
    const step = { filter: 'dns_resolution', literal: 'relay', static_hosts: [{ host: '192.0.2.50', port: 2500 }] };
    const { hosts, chain } = await resolve([toHosts('relay', 'plain.test'), step, all], 'u@two.test');
    expect(hosts).toEqual(['192.0.2.50 2500', '192.0.2.9 25']);
    expect(chain.tx.signals.get(dnsResolutionSignal)?.rcptResults).toHaveLength(1);
  });
});

describe('the domains of the envelope', () => {
  it('are observed and published, with the numbers of the wire', async () => {
    const chain = openChain({ steps: [all], deps: { dns: fakeDns(zone) } });
    await chain.mail('a@dark.test');
    for (const to of ['u@two.test', 'u@nowhere.test', 'u@null.test', 'not an address', 'u@[192.0.2.1]', 'postmaster']) {
      expect(await chain.rcpt(to)).toBe('250 2.0.0 ok');
    }
    expect(chain.published).toEqual({
      'koukan.mx_resolution.DnsResolutionFilter': { mail_from_result: 2, rcpt_to_result: [0, 1, 1, 1, 0, 0] },
    });
  });

  it('are not asked for the null sender', async () => {
    const { chain } = await resolve([all], 'u@two.test');
    expect(chain.tx.signals.get(dnsResolutionSignal)).not.toHaveProperty('mailResult');
  });
});

it('a transaction that was closed meanwhile is not passed on', async () => {
  const gate = new AbortController();
  const asked = once(gate.signal, 'abort');
  const dns = { ...fakeDns(zone), mx: () => asked.then(() => ({ status: 'notFound' as const })) };
  const chain = openChain({ steps: [all], deps: { dns } });
  const mail = chain.mail('a@two.test');
  await chain.exchange.close();
  gate.abort();
  expect(await mail).toMatch(/^450 /);
  expect(chain.reached.mail).toEqual([]);
});
