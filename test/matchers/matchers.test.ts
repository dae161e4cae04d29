/** Each matcher in a policy of a real chain: what it matches, seen by who is rejected. */
import { describe, expect, it } from 'vitest';
import type { Origin } from '../../src/lib/core/envelope.ts';
import { matchers } from '../../src/lib/matchers/index.ts';
import { chainOf, mistakesOf, openChain, type StepYaml } from '../helpers/chain.ts';
import { fakeDns } from '../helpers/fake-deps.ts';

const reject = (match: object, more: object = {}): StepYaml => ({
  filter: 'policy_action',
  tag: 't',
  action: 'REJECT',
  match,
  ...more,
});
const perRcpt = { mode: 'PER_RCPT' };

/** Whether a policy over this match rejects MAIL. */
async function rejectsMail(match: object, origin: Origin, from = 'a@b.test'): Promise<boolean> {
  return (await openChain({ steps: [reject(match)], origin }).mail(from)).startsWith('550');
}

async function rejectsRcpt(match: object, to: string): Promise<boolean> {
  const chain = openChain({ steps: [reject(match, perRcpt)] });
  await chain.mail('');
  return (await chain.rcpt(to)).startsWith('550');
}

const from = (host: string): Origin => ({ remoteHost: { host, port: 1 } });
const session = (tls: boolean, auth: boolean): Origin => ({ smtpMeta: { ehloHost: 'h', esmtp: true, tls, auth } });

describe('smtp_auth and smtp_tls', () => {
  it.each<[string, Origin, boolean]>([
    ['smtp_auth', session(false, true), true],
    ['smtp_auth', session(true, false), false],
    ['smtp_tls', session(true, false), true],
    ['smtp_tls', session(false, true), false],
    ['tls', session(true, false), true],
  ])('%s of %j: %s', async (matcher, origin, expected) => {
    expect(await rejectsMail({ matcher }, origin)).toBe(expected);
  });

  it('without an SMTP session nobody is authenticated: a policy against strangers rejects', async () => {
    expect(await rejectsMail({ not: { matcher: 'smtp_auth' } }, {})).toBe(true);
  });
});

describe('network_address', () => {
  it.each<[string, string, boolean]>([
    ['192.0.2.0/24', '192.0.2.77', true],
    ['192.0.2.0/24', '192.0.3.1', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['192.0.2.77/24', '192.0.2.1', true],
    ['2001:db8::/32', '2001:DB8:0:0::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['2001:db8::1', '2001:0db8:0000:0000:0000:0000:0000:0001', true],
    ['192.0.2.0/24', '::ffff:192.0.2.77', true],
    ['::ffff:192.0.2.0/120', '192.0.2.77', true],
    ['192.0.2.0/24', '2001:db8::1', false],
    ['::/0', '192.0.2.1', false],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
  ])('%s has %s: %s', async (cidr, host, expected) => {
    expect(await rejectsMail({ matcher: 'network_address', cidr }, from(host))).toBe(expected);
  });

  it('is not judged without an address, not even by its negation', async () => {
    const match = { matcher: 'network_address', cidr: '0.0.0.0/0' };
    for (const origin of [{}, from('host.test')]) {
      expect(await rejectsMail(match, origin)).toBe(false);
      expect(await rejectsMail({ not: match }, origin)).toBe(false);
    }
  });

  it.each(['10.0.0.0/33', '10.0.0', 'a.test/8', '10.0.0.0/', '::/129', '0x7f.1/8'])('refuses %s at load', (cidr) => {
    expect(mistakesOf({ steps: [reject({ matcher: 'network_address', cidr })] })).toMatchObject([
      { path: ['chain', 0, 'match', 'cidr'] },
    ]);
  });
});

describe('invalid_mail_from and invalid_rcpt_to', () => {
  it.each([
    ['a@b.test', false],
    ['"a b"@b.test', false],
    ['a@[192.0.2.1]', false],
    ['ü@bücher.test', false],
    ['postmaster', false],
    ['a', true],
    ['a@', true],
    ['a@b..test', true],
    ['<a@b.test', true],
    ['a@b.test>', true],
  ])('%s is invalid: %s', async (address, expected) => {
    expect(await rejectsMail({ matcher: 'invalid_mail_from' }, {}, address)).toBe(expected);
    expect(await rejectsRcpt({ matcher: 'invalid_rcpt_to' }, address)).toBe(expected);
  });

  it('the null reverse-path is a valid sender and no valid recipient', async () => {
    expect(await rejectsMail({ matcher: 'invalid_mail_from' }, {}, '')).toBe(false);
    expect(await rejectsRcpt({ matcher: 'invalid_rcpt_to' }, '')).toBe(true);
  });
});

describe('address_list', () => {
  const list = (which_addr: string, more: object = {}) => ({
    matcher: 'address_list',
    which_addr,
    domains: ['ours.test'],
    prefixes: ['news'],
    delimiter: '+',
    ...more,
  });

  it.each([
    ['news@ours.test', true],
    ['News+x@OURS.test', true],
    ['newsx@ours.test', false],
    ['news@other.test', false],
    ['', false],
  ])('%s is listed: %s', async (address, expected) => {
    expect(await rejectsMail(list('mail_from'), {}, address)).toBe(expected);
    expect(await rejectsRcpt(list('rcpt_to'), address)).toBe(expected);
  });

  const validation = { filter: 'message_validation' };

  it('header_from without the filter that reads the header is refused at load, not silently dead', () => {
    expect(mistakesOf({ steps: [reject(list('header_from'))] })).toMatchObject([
      { path: ['chain', 0, 'match', 'matcher'], message: expect.stringContaining('message_validation') },
    ]);
    expect(mistakesOf({ steps: [validation, reject(list('header_from'))] })).toEqual([]);
  });

  it.each([
    ['From: News <news@ours.test>', true],
    ['From: news@other.test', false],
    ['From: a@other.test, "News, ours" <NEWS+x@ours.test>', true],
    ['From: a@other.test\r\nFrom: news@ours.test', true],
    ['From: =?utf-8?q?news=40ours.test?= <a@other.test>', false],
    ['From: news@ours.test (really) <a@other.test>', false],
    ['Sender: news@ours.test\r\nFrom: a@other.test', false],
  ])('header_from: %j is listed: %s', async (header, expected) => {
    const chain = openChain({ steps: [validation, reject(list('header_from'))] });
    expect(await chain.mail('news@ours.test')).toMatch(/^250/);
    await chain.rcpt('r@d.test');
    expect((await chain.data(`${header}\r\n\r\nhi\r\n`)).startsWith('550')).toBe(expected);
  });

  it.each(['Subject: nobody', 'From: ', 'From: nobody', 'From: <a@'])(
    'header_from is not judged when nobody can be read from it: %j',
    async (header) => {
      for (const match of [list('header_from'), { not: list('header_from') }]) {
        const chain = openChain({ steps: [validation, reject(match)] });
        await chain.mail('news@ours.test');
        await chain.rcpt('r@d.test');
        expect(await chain.data(`${header}\r\n\r\nhi\r\n`)).toMatch(/^250/);
      }
    },
  );

  it('rcpt_to outside PER_RCPT is refused at load', () => {
    expect(mistakesOf({ steps: [reject(list('rcpt_to'))] })).toMatchObject([
      { message: expect.stringContaining('mode: PER_RCPT') },
    ]);
  });
});

describe('num_rcpts', () => {
  const steps = [reject({ matcher: 'num_rcpts', max_rcpts: 2 }, { ...perRcpt, code: 452, message: '4.5.3 enough' })];
  const replies = { rcpt: { 'bad@d.test': { code: 550, enhanced: '5.1.1', text: 'no' } } };

  it('rejects every recipient beyond the number; those that were refused do not count', async () => {
    const chain = openChain({ steps, replies });
    await chain.mail('');
    const answers: string[] = [];
    for (const name of ['a', 'bad', 'b', 'c', 'd']) answers.push(await chain.rcpt(`${name}@d.test`));
    expect(answers).toEqual(['250 2.0.0 ok', '550 5.1.1 no', '250 2.0.0 ok', '452 4.5.3 enough', '452 4.5.3 enough']);
  });

  it('holds when recipients are pipelined', async () => {
    const chain = openChain({ steps });
    await chain.mail('');
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => chain.rcpt(`${name}@d.test`)));
    expect(answers.map((answer) => answer.slice(0, 3))).toEqual(['250', '250', '452', '452']);
  });
});

describe('dns_resolution', () => {
  const dns = fakeDns({
    mx: { 'ok.test': [{ exchange: 'ok.test', preference: 1 }] },
    addresses: { 'ok.test': ['192.0.2.1'] },
    failing: ['dark.test'],
  });
  const resolution: StepYaml = { filter: 'dns_resolution', suffix: '' };
  const router: StepYaml = { filter: 'router', policy: { name: 'dest_domain', destination: null } };
  const matcher = 'dns_resolution';

  it.each([
    ['mail_result', 'NX', 'a@gone.test', true],
    ['mail_result', 'TEMP', 'a@dark.test', true],
    ['mail_result', 'OK', 'a@ok.test', true],
    ['mail_result', 'NX', 'a@ok.test', false],
    ['mail_result', 'NX', '', false],
  ])('%s: %s for %s: %s', async (key, result, sender, expected) => {
    const chain = openChain({ steps: [resolution, reject({ matcher, [key]: result })], deps: { dns } });
    expect((await chain.mail(sender)).startsWith('550')).toBe(expected);
  });

  it('judges each recipient by its own domain', async () => {
    const steps = [resolution, reject({ matcher, rcpt_result: 'NX' }, perRcpt)];
    const chain = openChain({ steps, deps: { dns } });
    await chain.mail('');
    const answers = await Promise.all(['a@ok.test', 'b@gone.test', 'c@dark.test', 'd@gone.test'].map(chain.rcpt));
    expect(answers.map((answer) => answer.slice(0, 3))).toEqual(['250', '550', '250', '550']);
  });

  it('judges the route, under the class name as well', async () => {
    const match = { matcher: 'koukan.mx_resolution.DnsResolutionFilter', resolution_result: 'TEMP' };
    const open = chainOf({ steps: [router, resolution, reject(match, { code: 451 })], deps: { dns } });
    const answer = async (to: string) => {
      const chain = open();
      await chain.mail('');
      return (await chain.rcpt(to)).slice(0, 3);
    };
    expect([await answer('u@dark.test'), await answer('u@gone.test')]).toEqual(['451', '250']);
  });

  it('is refused at load without its filter before it, without PER_RCPT for recipients, and without a question', () => {
    expect(mistakesOf({ steps: [reject({ matcher, mail_result: 'NX' }), resolution] })).toMatchObject([
      { message: expect.stringContaining('put that filter before this policy') },
    ]);
    expect(mistakesOf({ steps: [resolution, reject({ matcher, rcpt_result: 'NX' })] })).toHaveLength(1);
    expect(mistakesOf({ steps: [resolution, reject({ matcher })] })).toHaveLength(1);
  });
});

it('every name of a matcher is its own, and the registry is alphabetical', () => {
  const names = matchers.map(({ name }) => name);
  expect(names).toEqual(names.toSorted());
  const all = matchers.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  expect(new Set(all).size).toBe(all.length);
});
