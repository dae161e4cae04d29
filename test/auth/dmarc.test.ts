/** DMARC over zones in a literal: whose record applies, what it asks for, and what counts as aligned (RFC 9989). */
import { describe, expect, it } from 'vitest';
import { checkDmarc } from '../../src/lib/auth/dmarc/check-dmarc.ts';
import { parseDmarcRecord } from '../../src/lib/auth/dmarc/dmarc-record.ts';
import { organisation, treeWalk } from '../../src/lib/auth/dmarc/tree-walk.ts';
import type { DkimSignature } from '../../src/lib/core/signals/dkim.ts';
import type { Spf, SpfResult } from '../../src/lib/core/signals/spf.ts';
import { fakeDns } from '../helpers/fake-deps.ts';

/** `_dmarc` records by domain. */
type Records = Readonly<Record<string, string | readonly string[]>>;

interface Ask {
  readonly from: string | readonly string[];
  readonly mayHideOthers?: boolean;
  readonly records: Records;
  /** Signing domains, by status. */
  readonly dkim?: Readonly<Record<string, DkimSignature['status']>>;
  readonly spf?: readonly [SpfResult, string];
  readonly failing?: readonly string[];
  readonly existing?: readonly string[];
}

function zoneOf({ records, failing = [], existing = [] }: Pick<Ask, 'records' | 'failing' | 'existing'>) {
  return fakeDns({
    txt: Object.fromEntries(Object.entries(records).map(([domain, text]) => [`_dmarc.${domain}`, [text].flat()])),
    addresses: Object.fromEntries(existing.map((domain) => [domain, ['192.0.2.1']])),
    failing,
  });
}

function check(ask: Ask) {
  const signatures = Object.entries(ask.dkim ?? {}).map(([domain, status]) => ({ domain, status }) as DkimSignature);
  const [mailFromResult, domain] = ask.spf ?? ['none', 'x.test'];
  const spf: Spf = { mailFromResult, domain, identity: 'mailfrom', extraDomainResults: new Map() };
  const authors = { domains: [ask.from].flat(), mayHideOthers: ask.mayHideOthers ?? false };
  return checkDmarc({ authors, spf, dkim: { signatures, uncheckedCount: 0 } }, zoneOf(ask));
}

describe('the policy that applies', () => {
  it.each([
    [
      'is that of the author’s domain',
      'a.b.com',
      { 'a.b.com': 'v=DMARC1; p=quarantine', 'b.com': 'v=DMARC1; p=reject' },
      'a.b.com',
      'quarantine',
    ],
    [
      'is else what the organisation says of subdomains',
      'a.b.com',
      { 'b.com': 'v=DMARC1; p=reject; sp=quarantine' },
      'b.com',
      'quarantine',
    ],
    ['or of itself, if it says nothing of them', 'a.b.com', { 'b.com': 'v=DMARC1; p=reject' }, 'b.com', 'reject'],
    [
      'is not that of a domain in between',
      'a.b.c.com',
      { 'b.c.com': 'v=DMARC1; p=none', 'c.com': 'v=DMARC1; p=reject' },
      'c.com',
      'reject',
    ],
    [
      'is that of a name in between which says that it is an organisation',
      'a.b.c.com',
      { 'b.c.com': 'v=DMARC1; p=none; psd=n', 'c.com': 'v=DMARC1; p=reject' },
      'b.c.com',
      'none',
    ],
    [
      'is that of the registry, where the organisation has none',
      'a.bank',
      { bank: 'v=DMARC1; p=reject; psd=y' },
      'bank',
      'reject',
    ],
    [
      'is that of the organisation rather than of its registry',
      'a.b.bank',
      { 'b.bank': 'v=DMARC1; p=quarantine', bank: 'v=DMARC1; p=reject; psd=y' },
      'b.bank',
      'quarantine',
    ],
  ] as const)('%s', async (_, from, records: Records, policyDomain, publishedPolicy) => {
    expect(await check({ from, records, existing: [from] })).toMatchObject({
      result: 'fail',
      policyDomain,
      publishedPolicy,
      requestedPolicy: publishedPolicy,
      disposition: publishedPolicy,
    });
  });

  it('for a domain that does not exist may be stricter', async () => {
    const records = { 'b.com': 'v=DMARC1; p=none; sp=quarantine; np=reject' };
    expect((await check({ from: 'gone.b.com', records })).disposition).toBe('reject');
    expect((await check({ from: 'here.b.com', records, existing: ['here.b.com'] })).disposition).toBe('quarantine');
    expect((await check({ from: 'dark.b.com', records, failing: ['dark.b.com'] })).disposition).toBe('quarantine');
    expect((await check({ from: 'b.com', records })).disposition).toBe('none');
  });

  it.each([
    ['reject', 'quarantine'],
    ['quarantine', 'none'],
    ['none', 'none'],
  ])('%s is %s as long as its owner is testing', async (publishedPolicy, requestedPolicy) => {
    const records = { 'b.com': `v=DMARC1; p=${publishedPolicy}; t=y` };
    const found = { publishedPolicy, requestedPolicy, disposition: requestedPolicy };
    expect(await check({ from: 'b.com', records })).toMatchObject(found);
  });

  it.each([
    ['there is no record', {}],
    ['there are two', { 'b.com': ['v=DMARC1; p=reject', 'v=DMARC1; p=none'] }],
    ['what is there is something else', { 'b.com': 'v=spf1 -all' }],
    ['the version is not first', { 'b.com': 'p=reject; v=DMARC1' }],
    ['the version is another', { 'b.com': 'v=DMARC12; p=reject' }],
  ])('is nobody’s when %s', async (_, records: Records) => {
    const found = await check({ from: 'b.com', records });
    expect(found).toMatchObject({ result: 'none', disposition: 'none' });
  });
});

describe('a policy record', () => {
  it.each([
    ['v=DMARC1;p=reject', 'reject', false],
    ['v=DMARC1 ; P = Reject ;', 'reject', false],
    ['v=DMARC1; p=reject; unknown=1; garbage; p=none', 'reject', false],
    ['v=DMARC1', 'none', false],
    ['v=DMARC1; p=rejct; rua=mailto:a@b.com', 'none', false],
    ['v=DMARC1; p=reject; sp=nothing; rua=mailto:a@b.com', 'none', false],
    ['v=DMARC1; p=rejct', 'none', true],
    ['v=DMARC1; p=rejct; rua=nonsense', 'none', true],
  ] as const)('%s means %s', (text, policy, isBroken) => {
    expect(parseDmarcRecord(text)).toMatchObject({ policy, isBroken });
  });

  it('that is misspelt makes a permanent error', async () => {
    const found = await check({ from: 'b.com', records: { 'b.com': 'v=DMARC1; p=rejct' }, spf: ['pass', 'b.com'] });
    expect(found).toMatchObject({ result: 'permerror', disposition: 'none', policyDomain: 'b.com' });
  });
});

describe('the walk up the tree', () => {
  it('asks for the name itself and then from seven labels on, eight times at most', async () => {
    const dns = zoneOf({ records: {} });
    await treeWalk('a.b.c.d.e.f.g.h.i.j.mail.example.com', dns);
    expect(dns.calls).toEqual([
      'TXT _dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com',
      'TXT _dmarc.g.h.i.j.mail.example.com',
      'TXT _dmarc.h.i.j.mail.example.com',
      'TXT _dmarc.i.j.mail.example.com',
      'TXT _dmarc.j.mail.example.com',
      'TXT _dmarc.mail.example.com',
      'TXT _dmarc.example.com',
      'TXT _dmarc.com',
    ]);
  });

  it.each([
    [
      'the shortest name with a record',
      'a.mail.example.com',
      { 'mail.example.com': '', 'example.com': '' },
      'example.com',
    ],
    ['the one below a registry', 'a.mail.example.com', { com: '; psd=y' }, 'example.com'],
    [
      'the one that says so',
      'a.mail.example.com',
      { 'mail.example.com': '; psd=n', 'example.com': '' },
      'mail.example.com',
    ],
    ['the name itself, where nobody has a record', 'a.mail.example.com', {}, 'a.mail.example.com'],
    [
      'never a public suffix, even if its registry does not say that it is one',
      'mail.example.co.uk',
      { 'co.uk': '' },
      'example.co.uk',
    ],
    ['the registry itself, for mail of the registry', 'gov', { gov: '; psd=y' }, 'gov'],
  ])('finds the organisation: %s', async (_, start, rest: Readonly<Record<string, string>>, found) => {
    const records = Object.fromEntries(Object.entries(rest).map(([name, tags]) => [name, `v=DMARC1; p=none${tags}`]));
    expect(organisation(await treeWalk(start, zoneOf({ records })))).toBe(found);
  });
});

describe('alignment', () => {
  const relaxed = { 'b.com': 'v=DMARC1; p=reject' };
  const strict = { 'b.com': 'v=DMARC1; p=reject; adkim=s; aspf=s' };

  it.each<[string, Omit<Ask, 'from'> & { from?: string }, string, readonly string[]]>([
    ['a signature of the domain', { records: strict, dkim: { 'b.com': 'dkim_pass' } }, 'pass', ['dkim']],
    [
      'a signature of its organisation',
      { from: 'a.b.com', records: relaxed, dkim: { 'b.com': 'dkim_pass' } },
      'pass',
      ['dkim'],
    ],
    ['a signature of another part of it', { records: relaxed, dkim: { 'x.y.b.com': 'dkim_pass' } }, 'pass', ['dkim']],
    [
      'the same, when only the domain itself will do',
      { records: strict, dkim: { 'x.y.b.com': 'dkim_pass' } },
      'fail',
      [],
    ],
    ['a signature that is bad', { records: relaxed, dkim: { 'b.com': 'fail' } }, 'fail', []],
    ['a signature of a stranger', { records: relaxed, dkim: { 'evil.com': 'dkim_pass' } }, 'fail', []],
    ['a name that only looks alike', { records: relaxed, dkim: { 'notb.com': 'dkim_pass' } }, 'fail', []],
    ['SPF of the domain', { records: strict, spf: ['pass', 'b.com'] }, 'pass', ['spf']],
    ['SPF of a part of it', { records: relaxed, spf: ['pass', 'bounces.b.com'] }, 'pass', ['spf']],
    ['the same, when only the domain itself will do', { records: strict, spf: ['pass', 'bounces.b.com'] }, 'fail', []],
    ['SPF that is soft', { records: relaxed, spf: ['softfail', 'b.com'] }, 'fail', []],
    ['both', { records: relaxed, spf: ['pass', 'b.com'], dkim: { 'b.com': 'dkim_pass' } }, 'pass', ['dkim', 'spf']],
    [
      'one good signature among bad ones',
      { records: relaxed, dkim: { 'evil.com': 'dkim_pass', 'b.com': 'dkim_pass' } },
      'pass',
      ['dkim'],
    ],
  ])('of %s', async (_, ask, result, alignedBy) => {
    expect(await check({ from: 'b.com', ...ask })).toMatchObject({ result, alignedBy });
  });

  it('ends where a part says that it is an organisation of its own', async () => {
    const records = { ...relaxed, 'club.b.com': 'v=DMARC1; p=none; psd=n' };
    expect(await check({ from: 'b.com', records, dkim: { 'club.b.com': 'dkim_pass' } })).toMatchObject({
      result: 'fail',
    });
  });

  it('does not join everybody under a registry', async () => {
    const records = { com: 'v=DMARC1; p=reject' };
    expect(await check({ from: 'b.com', records, dkim: { 'evil.com': 'dkim_pass' } })).toMatchObject({
      result: 'fail',
      policyDomain: 'com',
    });
  });
});

describe('a temporary failure of DNS', () => {
  const records = { 'b.com': 'v=DMARC1; p=reject' };

  it.each<[string, Omit<Ask, 'from'>]>([
    ['at the policy', { records, failing: ['_dmarc.b.com'] }],
    ['at a key of the domain', { records, dkim: { 'b.com': 'temp_err' } }],
    ['at the SPF record of the domain', { records, spf: ['temperror', 'b.com'] }],
    [
      'on the way to the organisation of the signer',
      { records, dkim: { 'a.b.com': 'dkim_pass' }, failing: ['_dmarc.a.b.com'] },
    ],
  ])('%s is no verdict', async (_, ask) => {
    expect(await check({ from: 'b.com', ...ask })).toMatchObject({ result: 'temperror', disposition: 'none' });
  });

  it('of a stranger does not save a message from failing', async () => {
    const ask = { from: 'b.com', records, dkim: { 'evil.com': 'temp_err' }, spf: ['temperror', 'evil.com'] } as const;
    expect(await check(ask)).toMatchObject({ result: 'fail', disposition: 'reject' });
  });

  it('further up does not matter to who has a policy and signs with its own name', async () => {
    const ask = { from: 'b.com', records, dkim: { 'b.com': 'dkim_pass' }, failing: ['_dmarc.com'] } as const;
    expect(await check(ask)).toMatchObject({ result: 'pass' });
    const stranger = { ...ask, dkim: { 'evil.org': 'dkim_pass' } } as const;
    expect(await check(stranger)).toMatchObject({ result: 'fail' });
  });
});

describe('several authors', () => {
  const records = {
    'bank.com': 'v=DMARC1; p=reject',
    'soft.com': 'v=DMARC1; p=quarantine',
    'evil.com': 'v=DMARC1; p=none',
  };

  it.each([
    [['evil.com', 'bank.com'], 'fail', 'bank.com', 'reject'],
    [['bank.com', 'soft.com', 'evil.com'], 'fail', 'bank.com', 'reject'],
    [['evil.com', 'soft.com'], 'fail', 'soft.com', 'quarantine'],
    [['evil.com', 'nobody.com'], 'none', 'nobody.com', 'none'],
  ])('%j are judged by the worst of them', async (from, result, authorDomain, disposition) => {
    const found = await check({ from, records, dkim: { 'evil.com': 'dkim_pass' } });
    expect(found).toMatchObject({ result, authorDomain, disposition });
  });

  it('pass when each of them is vouched for', async () => {
    const dkim = { 'evil.com': 'dkim_pass', 'bank.com': 'dkim_pass' } as const;
    expect(await check({ from: ['bank.com', 'evil.com'], records, dkim })).toMatchObject({ result: 'pass' });
  });

  it('of whom one cannot be read do not pass, whoever vouches for the others', async () => {
    const ask = { from: 'evil.com', records, dkim: { 'evil.com': 'dkim_pass' }, mayHideOthers: true } as const;
    expect(await check(ask)).toEqual(expect.not.objectContaining({ authorDomain: expect.anything() }));
    expect(await check(ask)).toMatchObject({ result: 'permerror', comment: 'an author in From cannot be read' });
    expect(await check({ ...ask, from: 'bank.com' })).toMatchObject({ result: 'fail', disposition: 'reject' });
  });

  it('that are too many, or none, are an error of the message', async () => {
    const from = Array.from({ length: 5 }, (_, i) => `d${i}.com`);
    expect(await check({ from, records })).toMatchObject({ result: 'permerror' });
    expect(await check({ from: [], records })).toMatchObject({ result: 'permerror', comment: 'no domain in From' });
  });
});
