/** Policies in a real chain: when they are judged, whom they reject, how those of one tag stand to each other. */
import { describe, expect, it } from 'vitest';
import type { Origin } from '../../src/lib/core/envelope.ts';
import { chainOf, openChain, type StepYaml } from '../helpers/chain.ts';
import { fakeDns, type LogLine, memoryLog, seededRng } from '../helpers/fake-deps.ts';

const policy = (tag: string, more: object = {}): StepYaml => ({ filter: 'policy_action', tag, ...more });
const session: Origin = { smtpMeta: { ehloHost: 'h', esmtp: true, tls: false, auth: false } };
const authenticated: Origin = { smtpMeta: { ehloHost: 'h', esmtp: true, tls: true, auth: true } };
const KEY = 'koukan.policy_action_filter.PolicyActionFilter';
const fromOdd = { matcher: 'address_list', which_addr: 'mail_from', domains: ['odd.test'] };
const toOdd = { matcher: 'address_list', which_addr: 'rcpt_to', domains: ['odd.test'] };
const noAddress = { matcher: 'network_address', cidr: '10.0.0.0/8' };

/** Routes everybody to the domain and resolves it: facts that come at RCPT. */
const dnsSteps: StepYaml[] = [
  { filter: 'router', policy: { name: 'dest_domain', destination: null } },
  { filter: 'dns_resolution', suffix: '' },
];
const dnsDeps = { dns: fakeDns({ addresses: { 'fine.test': ['192.0.2.1'] } }) };
const noRoute = { matcher: 'dns_resolution', resolution_result: 'NX' };

describe('a rejection', () => {
  it('answers MAIL, and nothing reaches the next hop', async () => {
    const chain = openChain({ steps: [policy('relay', { match: fromOdd, action: 'REJECT' })] });
    expect(await chain.mail('a@odd.test')).toBe('550 5.6.0 message rejected relay');
    expect(await chain.rcpt('u@d.test')).toMatch(/^503 /);
    expect(await chain.data()).toMatch(/^503 /);
    expect(chain.reached).toEqual({ mail: [], rcpt: [], data: [] });
  });

  it('leaves other senders alone', async () => {
    const chain = openChain({ steps: [policy('relay', { match: fromOdd, action: 'REJECT' })] });
    expect(await chain.mail('a@even.test')).toBe('250 2.0.0 ok');
    expect(chain.published).toEqual({});
  });

  it.each([
    [{}, '550 5.6.0 message rejected rule'],
    [{ code: 450 }, '450 4.6.0 message rejected rule'],
    [{ code: 554, message: '5.7.1 go away' }, '554 5.7.1 go away'],
    [{ message: 'plain words' }, '550 plain words'],
  ])('with %j says %s', async (more, expected) => {
    const chain = openChain({ steps: [policy('tag', { name: 'rule', action: 'REJECT', ...more })] });
    expect(await chain.mail('a@b.test')).toBe(expected);
  });

  it('that comes at RCPT holds for every recipient from then on, and for the message', async () => {
    const chain = openChain({ steps: [...dnsSteps, policy('t', { match: noRoute, action: 'REJECT' })], deps: dnsDeps });
    expect(await chain.mail('')).toBe('250 2.0.0 ok');
    expect(await chain.rcpt('a@gone.test')).toBe('550 5.6.0 message rejected t');
    expect(await chain.rcpt('b@gone.test')).toBe('550 5.6.0 message rejected t');
    expect(await chain.data()).toBe('550 5.6.0 message rejected t');
    expect(chain.reached.data).toEqual([]);
  });

  it('is looked for again at each recipient until it comes', async () => {
    const steps = [
      policy('lists', { match: toOdd, mode: 'PER_RCPT' }),
      policy('t', { match: tagIs('lists'), action: 'REJECT' }),
    ];
    const chain = openChain({ steps });
    await chain.mail('');
    expect(await chain.rcpt('a@even.test')).toBe('250 2.0.0 ok');
    expect(await chain.rcpt('b@odd.test')).toMatch(/^550 /);
    expect(await chain.rcpt('c@even.test')).toMatch(/^550 /);
    expect(await chain.data()).toMatch(/^550 /);
    expect(chain.reached.data).toEqual([]);
  });
});

function tagIs(tag: string): object {
  return { matcher: 'policy_action', tag };
}

describe('PER_RCPT', () => {
  const steps = [policy('rcpt', { match: toOdd, mode: 'PER_RCPT', action: 'REJECT' })];

  it('rejects each matching recipient, however many, and no other', async () => {
    const chain = openChain({ steps });
    await chain.mail('');
    const answers: string[] = [];
    for (const to of ['a@odd.test', 'b@even.test', 'c@odd.test', 'a@odd.test', 'd@even.test']) {
      answers.push((await chain.rcpt(to)).slice(0, 3));
    }
    expect(answers).toEqual(['550', '250', '550', '550', '250']);
    expect(await chain.data()).toBe('250 2.0.0 ok');
    expect(chain.published).toMatchObject({ [KEY]: { matched_tags: ['rcpt'], matched_rules: ['rcpt'] } });
  });

  it('rejects the same recipient again, even the very same value', async () => {
    const chain = openChain({ steps });
    await chain.mail('');
    const to = { address: 'a@odd.test', params: [] };
    expect((await chain.exchange.rcpt(to)).code).toBe(550);
    expect((await chain.exchange.rcpt(to)).code).toBe(550);
  });

  it('works when recipients are pipelined', async () => {
    const chain = openChain({ steps });
    const [, ...answers] = await Promise.all([
      chain.mail(''),
      ...['a@odd.test', 'b@even.test', 'c@odd.test'].map(chain.rcpt),
    ]);
    expect(answers.map((answer) => answer.slice(0, 3))).toEqual(['550', '250', '550']);
  });

  it('a match for one recipient does not let another escape, nor the message', async () => {
    const chain = openChain({
      steps: [
        policy('t', { name: 'friend', match: { ...toOdd, prefixes: ['friend'] }, mode: 'PER_RCPT' }),
        policy('t', { name: 'odd', match: toOdd, mode: 'PER_RCPT', action: 'REJECT' }),
      ],
    });
    await chain.mail('');
    const answers = await Promise.all(['friend@odd.test', 'other@odd.test', 'friend@odd.test'].map(chain.rcpt));
    expect(answers.map((answer) => answer.slice(0, 3))).toEqual(['250', '550', '250']);
  });
});

describe('the phase of a policy', () => {
  const phases: [string, StepYaml[], object, string][] = [
    ['nothing', [], {}, 'mail'],
    ['the sender', [], { match: { not: fromOdd } }, 'mail'],
    ['the recipient', [], { match: { not: toOdd }, mode: 'PER_RCPT' }, 'rcpt'],
    ['the route', dnsSteps, { match: { any: [{ not: fromOdd }, noRoute] } }, 'rcpt'],
    ['a policy at MAIL', [policy('p')], { match: tagIs('p') }, 'mail'],
    ['a policy at RCPT', [policy('p', { mode: 'PER_RCPT' })], { match: tagIs('p') }, 'rcpt'],
    ['a policy on the route', [...dnsSteps, policy('p', { match: { not: noRoute } })], { match: tagIs('p') }, 'rcpt'],
  ];

  it.each(phases)('that reads %s', async (_, before, options, phase) => {
    const chain = openChain({ steps: [...before, policy('t', { action: 'REJECT', ...options })], deps: dnsDeps });
    const answers = { mail: await chain.mail('a@b.test'), rcpt: await chain.rcpt('u@fine.test') };
    expect({ mail: answers.mail.slice(0, 3), rcpt: answers.rcpt.slice(0, 3) }).toEqual(
      phase === 'mail' ? { mail: '550', rcpt: '503' } : { mail: '250', rcpt: '550' },
    );
  });

  it('is not before that of an earlier policy of the same tag, which may settle it', async () => {
    const steps = [
      ...dnsSteps,
      policy('t', { name: 'fine', match: { not: noRoute } }),
      policy('t', { name: 'rest', action: 'REJECT' }),
    ];
    const open = chainOf({ steps, deps: dnsDeps });
    const answers = async (to: string): Promise<string[]> => {
      const chain = open();
      return [await chain.mail(''), await chain.rcpt(to)].map((answer) => answer.slice(0, 3));
    };
    expect(await answers('u@fine.test')).toEqual(['250', '250']);
    expect(await answers('u@gone.test')).toEqual(['250', '550']);
  });
});

describe('policies of one tag', () => {
  const relay = [
    policy('relay', { name: 'known', match: { matcher: 'smtp_auth' }, action: 'MATCH' }),
    policy('relay', { name: 'rest', action: 'REJECT' }),
  ];

  it('are alternatives: the first that matches settles it', async () => {
    const known = openChain({ steps: relay, origin: authenticated });
    expect(await known.mail('a@b.test')).toBe('250 2.0.0 ok');
    expect(known.published).toMatchObject({ [KEY]: { matched_tags: ['relay'], matched_rules: ['known'] } });
    const stranger = openChain({ steps: relay, origin: session });
    expect(await stranger.mail('a@b.test')).toBe('550 5.6.0 message rejected rest');
    expect(stranger.published).toMatchObject({ [KEY]: { matched_tags: ['relay'], matched_rules: ['rest'] } });
  });

  it('of another tag decide by themselves', async () => {
    const chain = openChain({ steps: [...relay, policy('other', { action: 'REJECT' })], origin: authenticated });
    expect(await chain.mail('a@b.test')).toBe('550 5.6.0 message rejected other');
  });

  it('go on after a LOG, which writes a line and settles nothing', async () => {
    const lines: LogLine[] = [];
    const steps = [policy('t', { name: 'note', action: 'LOG' }), policy('t', { name: 'end', action: 'REJECT' })];
    const chain = openChain({ steps, deps: { log: memoryLog(lines) } });
    expect(await chain.mail('a@b.test')).toMatch(/^550 /);
    expect(chain.published).toMatchObject({ [KEY]: { matched_tags: ['t'], matched_rules: ['note', 'end'] } });
    expect(lines).toContainEqual({
      level: 'info',
      fields: { tag: 't', rule: 'note', action: 'LOG' },
      text: 'policy matched',
    });
  });

  it('go on after a LOG even when both go by the name of the tag', async () => {
    const steps = [policy('t', { action: 'LOG' }), policy('t', { action: 'REJECT' })];
    expect(await openChain({ steps }).mail('a@b.test')).toMatch(/^550 /);
  });

  it('are blocked by one that cannot be judged for lack of a fact, and the log says so', async () => {
    const lines: LogLine[] = [];
    const steps = [policy('t', { name: 'net', match: noAddress }), policy('t', { name: 'rest', action: 'REJECT' })];
    const open = chainOf({ steps, deps: { log: memoryLog(lines) } });
    expect(await open().mail('a@b.test')).toBe('250 2.0.0 ok');
    expect(lines.map(({ fields }) => fields)).toEqual([{ tag: 't', rule: 'net', action: 'UNMET' }]);
    const known = chainOf({ steps, origin: { remoteHost: { host: '192.0.2.1', port: 1 } } });
    expect(await known().mail('a@b.test')).toMatch(/^550 /);
  });
});

describe('policies that build on policies', () => {
  const base = (action: string): StepYaml => policy('base', { name: 'base-rule', match: fromOdd, action });
  const onTag = policy('t', { action: 'REJECT', match: { matcher: KEY, tag: 'base' } });
  const onRule = policy('t', { action: 'REJECT', match: { matcher: 'policy_action', rule: 'base-rule' } });

  it.each([
    ['tag', 'MATCH', onTag],
    ['rule', 'MATCH', onRule],
    ['rule', 'LOG', onRule],
  ])('by %s of one whose action is %s', async (_, action, step) => {
    const open = chainOf({ steps: [base(action), step] });
    expect((await open().mail('a@odd.test')).startsWith('550')).toBe(true);
    expect((await open().mail('a@even.test')).startsWith('550')).toBe(false);
  });

  it('see for each recipient what was said of that recipient', async () => {
    const chain = openChain({
      steps: [
        policy('base', { match: toOdd, mode: 'PER_RCPT' }),
        policy('t', { match: tagIs('base'), mode: 'PER_RCPT', action: 'REJECT' }),
      ],
    });
    await chain.mail('');
    const answers = await Promise.all(['a@odd.test', 'b@even.test', 'c@odd.test'].map(chain.rcpt));
    expect(answers.map((answer) => answer.slice(0, 3))).toEqual(['550', '250', '550']);
  });

  it('see nothing of those behind them, whatever these said of an earlier recipient', async () => {
    const steps = [
      policy('base', { match: toOdd, mode: 'PER_RCPT', action: 'LOG' }),
      policy('t', { match: { any: [tagIs('base'), { matcher: 'policy_action', rule: 'base' }] }, name: 'behind' }),
      policy('base', { name: 'later' }),
    ];
    const chain = openChain({ steps });
    await chain.mail('a@b.test');
    await Promise.all(['a@even.test', 'b@even.test'].map(chain.rcpt));
    expect(chain.published).toMatchObject({ [KEY]: { matched_rules: ['later'] } });
  });

  it('cannot be judged when the one they build on could not', async () => {
    const steps = [
      policy('base', { match: noAddress }),
      policy('t', { match: { not: tagIs('base') }, action: 'REJECT' }),
    ];
    expect(await openChain({ steps }).mail('a@b.test')).toBe('250 2.0.0 ok');
  });
});

describe('weighted actions', () => {
  it('are drawn in proportion to their weights', async () => {
    const actions = [
      [3, 'MATCH'],
      [1, 'REJECT'],
      [0, 'LOG'],
    ];
    const open = chainOf({ steps: [policy('t', { action: actions })], deps: { rng: seededRng(7) } });
    const draws = 2000;
    let rejected = 0;
    for (let i = 0; i < draws; i += 1) if ((await open().mail('')).startsWith('550')) rejected += 1;
    expect(rejected / draws).toBeGreaterThan(0.2);
    expect(rejected / draws).toBeLessThan(0.3);
  });

  it('never draw a weight of nothing', async () => {
    for (const drawn of [0, 0.5, 0.999999999]) {
      const rng = { ...seededRng(1), uniform: () => drawn };
      const actions = [
        [0, 'LOG'],
        [1, 'REJECT'],
        [0, 'MATCH'],
      ];
      expect(await openChain({ steps: [policy('t', { action: actions })], deps: { rng } }).mail('')).toMatch(/^550 /);
    }
  });
});
