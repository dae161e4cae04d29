/** What the filters at MAIL publish about the peer and the reverse-path. */
import { describe, expect, it } from 'vitest';
import { spfSignal } from '../../src/lib/core/signals/spf.ts';
import { chainOf, mistakesOf, type OpenedChain, type StepYaml } from '../helpers/chain.ts';
import { fakeDns, type Zone } from '../helpers/fake-deps.ts';

const ok = '250 2.0.0 ok';

interface Peer {
  readonly ip?: string;
  readonly ehlo?: string;
}

function open(steps: readonly StepYaml[], zone: Zone, { ip, ehlo }: Peer): OpenedChain {
  return chainOf({
    steps,
    deps: { dns: fakeDns(zone) },
    origin: {
      ...(ip !== undefined && { remoteHost: { host: ip, port: 1 } }),
      ...(ehlo !== undefined && { smtpMeta: { ehloHost: ehlo, esmtp: true, tls: false, auth: false } }),
    },
  })();
}

async function publishedBy(filter: string, zone: Zone, peer: Peer, from = 'ann@example.com'): Promise<unknown> {
  const chain = open([{ filter }], zone, peer);
  expect(await chain.mail(from)).toBe(ok);
  return Object.values(chain.published)[0];
}

describe('remote_host', () => {
  const zone: Zone = {
    ptr: { '192.0.2.1': ['mx.example.com.'], '2001:db8::1': ['v6.example.com'] },
    addresses: { 'mx.example.com': ['198.51.100.9', '192.0.2.1'], 'v6.example.com': ['2001:0DB8:0:0::0001'] },
  };

  it.each([['mx.example.com'], ['MX.Example.COM'], ['mx.example.com.']])(
    'believes the peer that says EHLO %s and whose name leads back to it',
    async (ehlo) => {
      expect(await publishedBy('remote_host', zone, { ip: '192.0.2.1', ehlo })).toEqual({
        status: 0,
        fcrdns: true,
        ehlo_alignment: true,
        remote_hostname: 'mx.example.com.',
      });
    },
  );

  it.each([['other.example.com'], ['[192.0.2.1]'], [undefined]])('sees that EHLO %s is not that name', async (ehlo) => {
    const peer = { ip: '192.0.2.1', ...(ehlo !== undefined && { ehlo }) };
    expect(await publishedBy('remote_host', zone, peer)).toMatchObject({ fcrdns: true, ehlo_alignment: false });
  });

  it.each([['2001:db8::1'], ['2001:DB8:0:0:0:0:0:1'], ['2001:db8::1%eth0'], ['::ffff:192.0.2.1']])(
    'compares %s as an address, not as text',
    async (ip) => {
      expect(await publishedBy('remote_host', zone, { ip })).toMatchObject({ status: 0, fcrdns: true });
    },
  );

  it('takes the name that the peer said when it has several', async () => {
    const several = {
      ptr: { '192.0.2.1': ['liar.test', 'a.test', 'b.test'] },
      addresses: { 'a.test': ['192.0.2.1'], 'b.test': ['192.0.2.1'] },
    };
    const found = await publishedBy('remote_host', several, { ip: '192.0.2.1', ehlo: 'b.test' });
    expect(found).toEqual({ status: 0, fcrdns: true, ehlo_alignment: true, remote_hostname: 'b.test' });
    expect(await publishedBy('remote_host', several, { ip: '192.0.2.1' })).toMatchObject({ remote_hostname: 'a.test' });
  });

  it('does not believe a name that leads elsewhere, whatever EHLO says', async () => {
    const found = await publishedBy(
      'remote_host',
      { ptr: { '192.0.2.1': ['google.com'] } },
      { ip: '192.0.2.1', ehlo: 'google.com' },
    );
    expect(found).toEqual({ status: 0, fcrdns: false, ehlo_alignment: false, remote_hostname: 'google.com' });
  });

  it.each([
    ['has no name', {}, { status: 2, fcrdns: false, ehlo_alignment: false }],
    ['cannot be looked up', { failing: ['192.0.2.1'] }, { status: 1, fcrdns: false, ehlo_alignment: false }],
    [
      'has a name that cannot be looked up',
      { ptr: { '192.0.2.1': ['a.test'] }, failing: ['a.test'] },
      { status: 1, fcrdns: false, ehlo_alignment: false, remote_hostname: 'a.test' },
    ],
  ])('says so, and refuses nothing, when the peer %s', async (_, dns: Zone, found) => {
    expect(await publishedBy('remote_host', dns, { ip: '192.0.2.1' })).toEqual(found);
  });

  it('looks at a limited number of names', async () => {
    const names = Array.from({ length: 500 }, (_, i) => `n${i}.test`);
    const dns = fakeDns({ ptr: { '192.0.2.1': names } });
    const chain = chainOf({
      steps: [{ filter: 'remote_host' }],
      deps: { dns },
      origin: { remoteHost: { host: '192.0.2.1', port: 1 } },
    })();
    await chain.mail('a@b.test');
    expect(dns.calls).toHaveLength(11);
  });

  it('says nothing of a peer it does not know', async () => {
    expect(await publishedBy('remote_host', zone, {})).toBeUndefined();
    expect(await publishedBy('remote_host', zone, { ip: 'not-an-address.test' })).toBeUndefined();
  });
});

describe('spf_check', () => {
  const zone: Zone = {
    txt: {
      'example.com': ['v=spf1 ip4:192.0.2.1 -all'],
      'xn--bcher-kva.example': ['v=spf1 ip4:192.0.2.1 -all'],
      'mx.example.com': ['v=spf1 ip4:192.0.2.1 -all'],
      'forwarder.test': ['v=spf1 ip4:198.51.100.7 ~all'],
    },
  };
  const peer = { ip: '192.0.2.1', ehlo: 'mx.example.com' };

  it.each([
    ['ann@example.com', 1],
    ['ann@Example.COM', 1],
    ['änn@bücher.example', 1],
    ['', 1],
    ['"odd @ local"@example.com', 1],
    ['ann@forwarder.test', 4],
    ['ann@nowhere.test', 5],
    ['ann@[192.0.2.1]', 5],
    ['postmaster', 5],
    ['no address', 5],
  ])('says of <%s> %i', async (from, result) => {
    const found = { mail_from_result: result, extra_domains_results: {} };
    expect(await publishedBy('spf_check', zone, peer, from)).toEqual(found);
  });

  it('asks for the EHLO name when the reverse-path is null', async () => {
    const chain = open([{ filter: 'spf_check' }], zone, peer);
    await chain.mail('');
    expect(chain.tx.signals.get(spfSignal)).toMatchObject({ identity: 'helo', domain: 'mx.example.com' });
  });

  it.each([
    ['no peer', {}, ''],
    ['a peer that is a host name', { ip: 'mx.example.com', ehlo: 'x.test' }, 'ann@example.com'],
    ['no EHLO name for a null reverse-path', { ip: '192.0.2.1' }, ''],
    ['an address for an EHLO name', { ip: '192.0.2.1', ehlo: '[192.0.2.1]' }, ''],
  ])('says none with %s', async (_, from, address) => {
    expect(await publishedBy('spf_check', zone, from, address)).toMatchObject({ mail_from_result: 5 });
  });

  it.each(['extra_domains', 'domains'])('finds out about the domains in %s too', async (option) => {
    const steps = [{ filter: 'spf_check', [option]: ['Forwarder.test', 'example.com'] }];
    const chain = open(steps, zone, { ip: '198.51.100.7', ehlo: 'x.test' });
    await chain.mail('ann@example.com');
    expect(Object.values(chain.published)).toEqual([
      { mail_from_result: 3, extra_domains_results: { 'forwarder.test': 1, 'example.com': 3 } },
    ]);
  });

  it('refuses at load what is no domain', () => {
    expect(mistakesOf({ steps: [{ filter: 'spf_check', extra_domains: ['a b'] }] })).toEqual([
      { path: ['chain', 0, 'extra_domains', 0], message: "'extra_domains[0]': expected a domain" },
    ]);
  });
});

describe('an exchange that is closed while DNS is slow', () => {
  it.each(['remote_host', 'spf_check'])('does not wait for %s', async (filter) => {
    const never = (): Promise<never> => new Promise(() => undefined);
    const chain = chainOf({
      steps: [{ filter }],
      deps: { dns: { mx: never, addresses: never, ptr: never, txt: never } },
      origin: { remoteHost: { host: '192.0.2.1', port: 1 } },
    })();
    const answer = chain.mail('ann@example.com');
    await new Promise<void>((resolve) => setImmediate(resolve));
    await chain.exchange.close();
    expect(await answer).not.toBe(ok);
    expect(chain.reached.mail).toEqual([]);
  });
});
