/** What SPF says of a peer, above all where the records of strangers are wrong, endless or out of reach. */
import { describe, expect, it } from 'vitest';
import { checkSpf } from '../../src/lib/auth/check-spf.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { fakeDeps, fakeDns, type Zone } from '../helpers/fake-deps.ts';

const ip = '192.0.2.1';

function check(zone: Zone, ask: Partial<Parameters<typeof checkSpf>[0]> = {}) {
  const deps = fakeDeps({ dns: fakeDns(zone) });
  return checkSpf({ ip, domain: 'example.com', ehloHost: 'mx.example.com', ...ask }, deps);
}

const record = (text: string): Zone => ({ txt: { 'example.com': [text] } });
const name = (i: number): string => `n${i}.test`;

describe('an SPF record', () => {
  it.each([
    ['v=spf1 ip4:192.0.2.0/24 -all', 'pass'],
    ['v=spf1 ip4:198.51.100.0/24 -all', 'fail'],
    ['v=spf1 ip4:198.51.100.0/24 ~all', 'softfail'],
    ['v=spf1 ?all', 'neutral'],
    ['v=spf1', 'neutral'],
    ['v=spf10 +all', 'none'],
    ['v=spf1 ip4:300.1.1.1 -all', 'permerror'],
    ['v=spf1 nonsense:x -all', 'permerror'],
    ['v=spf1 include:nowhere.test -all', 'permerror'],
  ])('%s makes it %s', async (text, result) => {
    expect((await check(record(text))).result).toBe(result);
  });

  it('matches by address, mail host, reverse name and macro', async () => {
    const zone = (text: string): Zone => ({
      txt: { 'example.com': [text] },
      addresses: { 'example.com': ['2001:db8::1', ip], 'mx.test': [ip], 'ann.example.com': ['127.0.0.2'] },
      mx: { 'example.com': [{ exchange: 'mx.test', preference: 10 }] },
      ptr: { [ip]: ['host.example.com'] },
    });
    for (const mechanism of ['a', 'mx', 'exists:%{l}.%{o}', 'a:%{h}.nowhere.test ip4:192.0.2.1']) {
      expect((await check(zone(`v=spf1 ${mechanism} -all`), { localPart: 'ann' })).result, mechanism).toBe('pass');
    }
    expect((await check(zone('v=spf1 a -all'), { ip: '2001:db8::1' })).result).toBe('pass');
    const named = { ...zone('v=spf1 ptr -all'), addresses: { 'host.example.com': [ip] } };
    expect((await check(named)).result).toBe('pass');
  });

  it('is none where there is none', async () => {
    expect(await check({})).toEqual({ result: 'none', comment: 'the domain says nothing' });
  });

  it('that is there twice, or is endlessly long, is an error for good', async () => {
    expect((await check({ txt: { 'example.com': ['v=spf1 -all', 'v=spf1 +all'] } })).result).toBe('permerror');
    expect(await check(record(`v=spf1 ${'ip4:198.51.100.1 '.repeat(300)} +all`))).toEqual({
      result: 'permerror',
      comment: 'the SPF record is too long',
    });
  });

  it('that includes itself is an error for good', async () => {
    expect((await check(record('v=spf1 include:example.com -all'))).result).toBe('permerror');
    expect((await check(record('v=spf1 redirect=example.com'))).result).toBe('permerror');
  });

  it('may need ten lookups, and not eleven', async () => {
    const chain = (length: number): Zone => ({
      txt: Object.fromEntries([
        ['example.com', ['v=spf1 include:n1.test -all']],
        ...Array.from({ length }, (_, i) => [
          name(i + 1),
          [i + 1 === length ? 'v=spf1 +all' : `v=spf1 include:${name(i + 2)} -all`],
        ]),
      ]),
    });
    expect((await check(chain(10))).result).toBe('pass');
    expect(await check(chain(11))).toEqual({ result: 'permerror', comment: 'Too many DNS requests' });
  });

  it('may name two hosts that do not exist, and not three', async () => {
    expect((await check(record('v=spf1 a:a.test a:b.test +all'))).result).toBe('pass');
    expect((await check(record('v=spf1 a:a.test a:b.test a:c.test +all'))).result).toBe('permerror');
  });
});

describe('a temporary failure of DNS', () => {
  it.each([
    ['at the domain', { failing: ['example.com'] }],
    ['below an include', { ...record('v=spf1 include:a.test -all'), failing: ['a.test'] }],
    ['below a redirect', { ...record('v=spf1 redirect=a.test'), failing: ['a.test'] }],
    ['at an address', { ...record('v=spf1 a:a.test -all'), failing: ['a.test'] }],
    ['at a mail host', { ...record('v=spf1 mx:a.test -all'), failing: ['a.test'] }],
  ])('%s is temperror, and never a fail', async (_, zone: Zone) => {
    expect((await check(zone)).result).toBe('temperror');
  });

  it('at the reverse name is no match', async () => {
    expect((await check({ ...record('v=spf1 ptr ip4:192.0.2.1 -all'), failing: [ip] })).result).toBe('pass');
  });

  it('is assumed when the answer takes too long, or nobody waits for it any more', async () => {
    const clock = new FakeClock();
    const dns = { ...fakeDns(), txt: () => new Promise<never>(() => undefined) };
    const slow = checkSpf({ ip, domain: 'example.com' }, { clock, dns });
    const closing = new AbortController();
    const closed = checkSpf({ ip, domain: 'example.com', signal: closing.signal }, { clock, dns });
    closing.abort();
    expect((await closed).result).toBe('temperror');
    await clock.advance(20_000);
    expect((await slow).result).toBe('temperror');
    expect(clock.sleeping).toBe(0);
  });
});

describe('what a stranger’s record makes us ask', () => {
  it('has an end', async () => {
    const hosts = Array.from({ length: 60 }, (_, i) => ({ exchange: name(i), preference: i }));
    const mx = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`m${i}.test`, hosts]));
    const terms = Object.keys(mx).map((domain) => `mx:${domain}`);
    const dns = fakeDns({ ...record(`v=spf1 ${terms.join(' ')} -all`), mx });
    const { result } = await checkSpf({ ip, domain: 'example.com' }, fakeDeps({ dns }));
    expect(result).toBe('permerror');
    expect(dns.calls.length).toBeLessThanOrEqual(150);
  });
});
