/** The resolver against a real DNS server on the loopback: what counts as found, absent and unknown, and what is remembered. */
import { describe, expect, it } from 'vitest';
import { createDns, type DnsOptions, type SystemDns } from '../../src/lib/ops/dns.ts';
import { type DnsServer, dnsServer, type ServedZone } from '../helpers/dns-server.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const zone: ServedZone = {
  records: {
    'example.test': {
      MX: [
        { preference: 20, exchange: 'b.test' },
        { preference: 10, exchange: 'a.test' },
      ],
    },
    'null.test': { MX: [{ preference: 0, exchange: '.' }] },
    'a.test': { A: ['192.0.2.1', '192.0.2.2'], AAAA: ['2001:db8::1'] },
    'v6only.test': { AAAA: ['2001:db8::6'] },
    'empty.test': { TXT: ['hello'] },
    'half.test': { A: ['192.0.2.9'] },
    'halfempty.test': { TXT: ['x'] },
    'long.test': { TXT: [['v=spf1 ', '-all']] },
    '7.2.0.192.in-addr.arpa': { PTR: ['host7.test'] },
    '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa': { PTR: ['six.test'] },
    'xn--bcher-kva.test': { A: ['192.0.2.44'] },
  },
  failing: ['broken.test', 'AAAA half.test', 'A halfempty.test'],
  silent: ['silent.test'],
};

async function withDns(
  use: (dns: SystemDns, server: DnsServer, clock: FakeClock) => Promise<void>,
  options: DnsOptions = {},
  served: ServedZone = zone,
): Promise<void> {
  await using server = await dnsServer(served);
  const clock = new FakeClock();
  const dns = createDns({ servers: [server.address], timeoutMs: 200, tries: 1, clock, ...options });
  try {
    await use(dns, server, clock);
  } finally {
    dns.close();
  }
}

describe('what DNS says', () => {
  it('reads MX records with their preferences', () =>
    withDns(async (dns) => {
      const answer = await dns.mx('example.test');
      expect(answer.status === 'ok' && [...answer.records].sort((x, y) => x.preference - y.preference)).toEqual([
        { exchange: 'a.test', preference: 10 },
        { exchange: 'b.test', preference: 20 },
      ]);
    }));

  it('reports a null MX as one record with an empty exchange', () =>
    withDns(async (dns) => {
      expect(await dns.mx('null.test')).toEqual({ status: 'ok', records: [{ exchange: '', preference: 0 }] });
    }));

  it('puts IPv4 addresses before IPv6 addresses', () =>
    withDns(async (dns) => {
      expect(await dns.addresses('a.test')).toEqual({
        status: 'ok',
        records: ['192.0.2.1', '192.0.2.2', '2001:db8::1'],
      });
      expect(await dns.addresses('v6only.test')).toEqual({ status: 'ok', records: ['2001:db8::6'] });
    }));

  it('joins the pieces of a TXT record', () =>
    withDns(async (dns) => {
      expect(await dns.txt('long.test')).toEqual({ status: 'ok', records: ['v=spf1 -all'] });
    }));

  it('finds the name of an address of either family, mapped addresses included', () =>
    withDns(async (dns) => {
      for (const ip of ['192.0.2.7', '::ffff:192.0.2.7']) {
        expect(await dns.ptr(ip)).toEqual({ status: 'ok', records: ['host7.test'] });
      }
      expect(await dns.ptr('2001:db8::1')).toEqual({ status: 'ok', records: ['six.test'] });
      expect(await dns.ptr('not an address')).toEqual({ status: 'notFound' });
    }));

  it('answers an address literal with itself, without asking', () =>
    withDns(async (dns, server) => {
      expect(await dns.addresses('192.0.2.200')).toEqual({ status: 'ok', records: ['192.0.2.200'] });
      expect(server.questions).toEqual([]);
    }));

  it('asks for an internationalised name by its A-label', () =>
    withDns(async (dns) => {
      expect(await dns.addresses('bücher.test')).toEqual({ status: 'ok', records: ['192.0.2.44'] });
    }));

  it.each([
    ['a name that does not exist', 'nowhere.test'],
    ['a name without such a record', 'empty.test'],
    ['something that cannot be a name', `${'x'.repeat(70)}.test`],
  ])('says notFound for %s', (_, name) =>
    withDns(async (dns) => {
      expect(await dns.mx(name)).toEqual({ status: 'notFound' });
      expect(await dns.addresses(name)).toEqual({ status: 'notFound' });
    }),
  );

  it.each([
    ['a server failure', 'broken.test'],
    ['silence', 'silent.test'],
  ])('says temporary for %s', (_, name) =>
    withDns(async (dns) => {
      expect(await dns.mx(name)).toMatchObject({ status: 'temporary' });
      expect(await dns.addresses(name)).toMatchObject({ status: 'temporary' });
    }),
  );

  it('uses one address family when the other cannot be asked, but does not call a host absent then', () =>
    withDns(async (dns) => {
      expect(await dns.addresses('half.test')).toEqual({ status: 'ok', records: ['192.0.2.9'] });
      expect(await dns.addresses('halfempty.test')).toMatchObject({ status: 'temporary' });
    }));
});

describe('the cache', () => {
  it('asks once while an answer is fresh, whatever the case of the name, and again after its TTL', () =>
    withDns(async (dns, server, clock) => {
      await dns.addresses('a.test');
      await dns.addresses('A.test');
      expect(server.questions).toHaveLength(2);
      await clock.advance(60_000);
      await dns.addresses('a.test');
      expect(server.questions).toHaveLength(4);
    }));

  it('shares one lookup between questions asked at the same moment', () =>
    withDns(async (dns, server) => {
      await Promise.all(Array.from({ length: 20 }, () => dns.mx('example.test')));
      expect(server.questions).toEqual(['MX example.test']);
    }));

  it('remembers that a name does not exist, for a shorter time', () =>
    withDns(async (dns, server, clock) => {
      await dns.mx('nowhere.test');
      await dns.mx('nowhere.test');
      expect(server.questions).toHaveLength(1);
      await clock.advance(60_000);
      await dns.mx('nowhere.test');
      expect(server.questions).toHaveLength(2);
    }));

  it('does not remember a failure', () =>
    withDns(async (dns, server) => {
      await dns.mx('broken.test');
      const before = server.questions.length;
      await dns.mx('broken.test');
      expect(server.questions.length).toBeGreaterThan(before);
    }));

  it('keeps no more entries than its bound, oldest out first', () =>
    withDns(
      async (dns, server) => {
        for (const name of ['one.test', 'two.test', 'three.test', 'two.test', 'three.test', 'one.test'])
          await dns.mx(name);
        expect(server.questions).toEqual(['MX one.test', 'MX two.test', 'MX three.test', 'MX one.test']);
      },
      { cacheEntriesMax: 2 },
    ));
});
