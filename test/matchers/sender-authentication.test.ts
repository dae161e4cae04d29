/** What policies can ask about the sender, and what is found wrong with the question at load. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineFilter } from '../../src/lib/chain/filter.ts';
import type { SignalType } from '../../src/lib/core/signal.ts';
import { type Arc, arcSignal } from '../../src/lib/core/signals/arc.ts';
import { type DkimCheck, type DkimSignature, dkimSignal } from '../../src/lib/core/signals/dkim.ts';
import { type Dmarc, dmarcSignal } from '../../src/lib/core/signals/dmarc.ts';
import { type RemoteHost, remoteHostSignal } from '../../src/lib/core/signals/remote-host.ts';
import { type Spf, spfSignal } from '../../src/lib/core/signals/spf.ts';
import { mistakesOf, openChain } from '../helpers/chain.ts';

type Match = { readonly matcher: string } & Readonly<Record<string, unknown>>;

/** A filter that has found out what the test says. */
function finding<T>(type: SignalType<T>, value: T | undefined) {
  return defineFilter({
    name: 'finding',
    summary: 'knows already',
    config: z.strictObject({}),
    produces: [type],
    create: () => () => ({
      async mail(tx, from, next) {
        if (value !== undefined) tx.signals.set(type, value);
        return next(from);
      },
    }),
  });
}

const judge = (match: Match) => ({ filter: 'policy_action', tag: 't', match, action: 'REJECT', message: '5.7.1 no' });

/** Whether a policy with that match rejects, and in which phase. */
async function rejectedAt<T>(type: SignalType<T>, value: T | undefined, match: Match): Promise<string> {
  const chain = openChain({ steps: [{ filter: 'finding' }, judge(match)], extraFilters: [finding(type, value)] });
  if ((await chain.mail('a@b.test')).startsWith('550')) return 'mail';
  if ((await chain.rcpt('c@d.test')).startsWith('550')) return 'rcpt';
  return (await chain.data()).startsWith('550') ? 'data' : 'never';
}

describe('remote_host', () => {
  const found: RemoteHost = { status: 'OK', fcrdns: true, ehloAlignment: false };

  it.each([
    [{ fcrdns: true }, 'mail'],
    [{ fcrdns: false }, 'never'],
    [{ ehlo_alignment: false }, 'mail'],
    [{ fcrdns: true, ehlo_alignment: true }, 'never'],
    [{ status: 'OK' }, 'mail'],
    [{ status: 'DNS_TEMP' }, 'never'],
    [{ status: 'OK', fcrdns: true, ehlo_alignment: false }, 'mail'],
  ])('with %j rejects at: %s', async (args, phase) => {
    expect(await rejectedAt(remoteHostSignal, found, { matcher: 'remote_host', ...args })).toBe(phase);
    const className = 'koukan.remote_host_filter.RemoteHostFilter';
    expect(await rejectedAt(remoteHostSignal, found, { matcher: className, ...args })).toBe(phase);
  });

  it('matches nothing when nobody knows the peer', async () => {
    expect(await rejectedAt(remoteHostSignal, undefined, { matcher: 'remote_host', fcrdns: false })).toBe('never');
  });
});

describe('spf_check', () => {
  const found: Spf = {
    mailFromResult: 'softfail',
    identity: 'mailfrom',
    extraDomainResults: new Map([
      ['fw.test', 'pass'],
      ['xn--bcher-kva.example', 'fail'],
    ]),
  };

  it.each([
    [{ mail_from_result: 'softfail' }, 'mail'],
    [{ mail_from_result: 'spf_softfail' }, 'mail'],
    [{ mail_from_result: 'pass' }, 'never'],
    [{ extra_domain: 'fw.test', extra_domain_result: 'spf_pass' }, 'mail'],
    [{ extra_domain: 'FW.test', extra_domain_result: 'pass' }, 'mail'],
    [{ extra_domain: 'fw.test', extra_domain_result: 'fail' }, 'never'],
    [{ extra_domain: 'bücher.example', extra_domain_result: 'fail' }, 'mail'],
    [{ mail_from_result: 'softfail', extra_domain: 'fw.test', extra_domain_result: 'pass' }, 'mail'],
    [{ mail_from_result: 'pass', extra_domain: 'fw.test', extra_domain_result: 'pass' }, 'never'],
    [{ extra_domain: 'unknown.test', extra_domain_result: 'pass' }, 'never'],
  ])('with %j rejects at: %s', async (args, phase) => {
    expect(await rejectedAt(spfSignal, found, { matcher: 'koukan.spf_check_filter.SpfCheckFilter', ...args })).toBe(
      phase,
    );
  });
});

describe('dkim_check', () => {
  const signature = (status: DkimSignature['status'], alignment: DkimSignature['alignment'], domain: string) =>
    ({ status, alignment, domain, headers: [], tags: {} }) as unknown as DkimSignature;
  const found: DkimCheck = {
    uncheckedCount: 0,
    signatures: [
      signature('fail', 'domain', 'bank.test'),
      signature('dkim_pass', 'same_sld', 'mail.bank.test'),
      signature('dkim_pass', 'other', 'list.test'),
      signature('unknown_algo', 'other', 'old.test'),
    ],
  };

  it.each([
    [{}, 'data'],
    [{ alignment: 'domain' }, 'never'],
    [{ alignment: 'same_sld' }, 'data'],
    [{ alignment: 'other' }, 'data'],
    [{ status: 'fail', alignment: 'domain' }, 'data'],
    [{ status: 'fail', domains: ['mail.bank.test'] }, 'never'],
    [{ status: 'pass', domains: ['List.test'] }, 'data'],
    [{ domains: ['list.test', 'x.test'] }, 'data'],
    [{ domains: ['bank.test'] }, 'never'],
    [{ status: 'unknown_algo' }, 'never'],
    [{ status: 'unknown_algo', alignment: 'other' }, 'data'],
    [{ status: 'temp_err', alignment: 'other' }, 'never'],
  ])('with %j rejects at: %s', async (args, phase) => {
    expect(await rejectedAt(dkimSignal, found, { matcher: 'koukan.dkim_check_filter.DkimCheckFilter', ...args })).toBe(
      phase,
    );
  });
});

describe('dmarc_check', () => {
  const found: Dmarc = {
    result: 'fail',
    publishedPolicy: 'reject',
    requestedPolicy: 'quarantine',
    disposition: 'quarantine',
    alignedBy: [],
  };

  it.each([
    [{ result: 'fail' }, 'data'],
    [{ result: 'fail', policy: 'quarantine' }, 'data'],
    [{ result: 'fail', policy: 'reject' }, 'never'],
    [{ policy: 'quarantine' }, 'data'],
    [{ result: 'pass' }, 'never'],
    [{ has_author: false }, 'data'],
    [{ has_author: true }, 'never'],
  ])('with %j rejects at: %s', async (args, phase) => {
    expect(await rejectedAt(dmarcSignal, found, { matcher: 'dmarc_check', ...args })).toBe(phase);
  });
});

describe('arc_check', () => {
  const found: Arc = {
    result: 'pass',
    sealers: [
      { instance: 1, domain: 'list.test', selector: 's' },
      { instance: 2, domain: 'fw.test', selector: 's' },
    ],
  };

  it.each([
    [{}, 'data'],
    [{ result: 'fail' }, 'never'],
    [{ sealers: ['list.test', 'FW.test', 'x.test'] }, 'data'],
    [{ sealers: ['fw.test'] }, 'never'],
  ])('with %j rejects at: %s', async (args, phase) => {
    expect(await rejectedAt(arcSignal, found, { matcher: 'arc_check', ...args })).toBe(phase);
  });
});

describe('at load', () => {
  it.each([
    [{ matcher: 'remote_host' }, 'expected one of fcrdns, ehlo_alignment, status'],
    [{ matcher: 'remote_host', fcrdns: 'yes' }, 'fcrdns'],
    [{ matcher: 'spf_check' }, 'expected mail_from_result'],
    [{ matcher: 'spf_check', extra_domain: 'a.test' }, 'belong together'],
    [{ matcher: 'spf_check', mail_from_result: 'maybe' }, 'mail_from_result'],
    [{ matcher: 'dkim_check', alignment: 'domain', domains: ['a.test'] }, 'not both'],
    [{ matcher: 'dkim_check', domains: [] }, 'domains'],
    [{ matcher: 'dmarc_check' }, 'expected one of result, policy, has_author'],
    [{ matcher: 'arc_check', sealers: ['a b'] }, 'expected a domain'],
  ])('%j is refused', (match, message) => {
    const filter = match.matcher;
    const before = filter === 'dmarc_check' ? [{ filter: 'spf_check' }, { filter: 'dkim_check' }] : [];
    const mistakes = mistakesOf({ steps: [...before, { filter }, judge(match)] });
    expect(mistakes.map((each) => each.message).join('\n')).toContain(message);
    expect(mistakes.map((each) => each.message).join('\n')).not.toContain('the file');
  });

  it('spf_check about a domain that the filter does not check is refused, and names the nearest', () => {
    const ask = { matcher: 'spf_check', extra_domain: 'forwarder.tset', extra_domain_result: 'pass' };
    const checking = (extra_domains?: readonly string[]) => ({
      filter: 'spf_check',
      ...(extra_domains && { extra_domains }),
    });
    expect(mistakesOf({ steps: [checking(['forwarder.test']), judge(ask)] })).toMatchObject([
      { path: ['chain', 1, 'match', 'extra_domain'], suggestion: 'forwarder.test' },
    ]);
    expect(mistakesOf({ steps: [checking(), judge(ask)] })).toHaveLength(1);
    expect(mistakesOf({ steps: [checking(['Forwarder.TSET']), judge(ask)] })).toEqual([]);
  });

  it.each(['remote_host', 'spf_check', 'dkim_check', 'dmarc_check', 'arc_check'])(
    'a question to %s is refused before that filter has run',
    (matcher) => {
      const args = {
        remote_host: { fcrdns: true },
        spf_check: { mail_from_result: 'pass' },
        dmarc_check: { result: 'fail' },
      };
      const match = { matcher, ...(args as Record<string, object>)[matcher] };
      const [mistake] = mistakesOf({ steps: [judge(match), { filter: matcher }] });
      expect(mistake?.message).toContain(`reads what the filter ${matcher} finds out`);
    },
  );

  it.each(['dkim_check', 'dmarc_check', 'arc_check'])('%s cannot be asked about each recipient', (matcher) => {
    const match = { matcher, ...(matcher === 'dmarc_check' && { result: 'fail' }) };
    const before = ['spf_check', 'dkim_check', 'dmarc_check', 'arc_check'].map((filter) => ({ filter }));
    const [mistake] = mistakesOf({ steps: [...before, { ...judge(match), mode: 'PER_RCPT' }] });
    expect(mistake?.message).toContain('recipients are judged before it comes');
  });
});
