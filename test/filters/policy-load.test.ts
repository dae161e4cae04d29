/** Mistakes in policies, found at load: where, what, and what was probably meant. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineFilter } from '../../src/lib/chain/filter.ts';
import { mistakesOf, type StepYaml } from '../helpers/chain.ts';

const policy = (more: object): StepYaml => ({ filter: 'policy_action', tag: 't', ...more });
const mistakes = (...steps: StepYaml[]) => mistakesOf({ steps });

describe('the match', () => {
  it('of an unknown matcher names the nearest', () => {
    expect(mistakes(policy({ match: { all: [{ not: { matcher: 'smtp_aut' } }] } }))).toEqual([
      {
        path: ['chain', 0, 'match', 'all', 0, 'not', 'matcher'],
        message: "unknown matcher 'smtp_aut'",
        suggestion: 'smtp_auth',
      },
    ]);
  });

  it('of a mistyped class name names the nearest', () => {
    const matcher = 'koukan.policy_action_filter.PolicyActionFitler';
    expect(mistakes(policy({ match: { matcher, tag: 'x' } }))).toMatchObject([
      { suggestion: 'koukan.policy_action_filter.PolicyActionFilter' },
    ]);
  });

  it('with an unknown or wrong option says which', () => {
    expect(mistakes(policy({ mode: 'PER_RCPT', match: { matcher: 'num_rcpts', max_rcpt: 3 } }))).toMatchObject([
      { path: ['chain', 0, 'match'], message: expect.stringContaining("missing 'max_rcpts'") },
      { path: ['chain', 0, 'match'], key: 'max_rcpt', suggestion: 'max_rcpts' },
    ]);
    expect(mistakes(policy({ match: { matcher: 'smtp_auth', really: true } }))).toMatchObject([
      { path: ['chain', 0, 'match'], key: 'really' },
    ]);
  });

  it.each([
    ['a word', 'smtp_auth'],
    ['a list', [{ matcher: 'smtp_auth' }]],
    ['nothing known', { some: [] }],
    ['two at once', { any: [{ matcher: 'smtp_auth' }], all: [{ matcher: 'smtp_auth' }] }],
    ['an empty list', { any: [] }],
    ['no list', { all: { matcher: 'smtp_auth' } }],
    ['no name', { matcher: 7 }],
  ])('that is %s is refused', (_, match) => {
    expect(mistakes(policy({ match }))).toHaveLength(1);
  });

  it('that is nested without end is refused', () => {
    let match: object = { matcher: 'smtp_auth' };
    for (let i = 0; i < 100; i += 1) match = { not: match };
    expect(mistakes(policy({ match }))).toMatchObject([{ message: expect.stringContaining('too deeply') }]);
  });

  it('with several mistakes reports them all', () => {
    expect(mistakes(policy({ match: { any: [{ matcher: 'a' }, { matcher: 'b' }, { all: [] }] } }))).toHaveLength(3);
  });
});

describe('a policy on an earlier policy', () => {
  const on = (ref: object): StepYaml => ({
    filter: 'policy_action',
    tag: 'second',
    match: { matcher: 'policy_action', ...ref },
  });
  const first: StepYaml = { filter: 'policy_action', tag: 'first', name: 'first-rule' };

  it('needs it to stand earlier in the chain', () => {
    expect(mistakes(first, on({ tag: 'first' }))).toEqual([]);
    expect(mistakes(first, on({ rule: 'first-rule' }))).toEqual([]);
    expect(mistakes(on({ tag: 'first' }), first)).toMatchObject([
      { path: ['chain', 0, 'match', 'tag'], message: expect.stringContaining('stands before this one') },
    ]);
    expect(mistakes(on({ tag: 'second' }))).toHaveLength(1);
  });

  it('names the nearest when there is none of that name', () => {
    expect(mistakes(first, on({ rule: 'first_rule' }))).toMatchObject([
      { path: ['chain', 1, 'match', 'rule'], suggestion: 'first-rule' },
    ]);
  });

  it('names either a tag or a rule', () => {
    expect(mistakes(first, on({}))).toHaveLength(1);
    expect(mistakes(first, on({ tag: 'first', rule: 'first-rule' }))).toHaveLength(1);
  });
});

describe('options', () => {
  it.each([
    [{ action: 'REFUSE' }, ['action']],
    [{ action: [] }, ['action']],
    [{ action: [[0, 'LOG']] }, ['action']],
    [
      {
        action: [
          [1, 'LOG'],
          [-1, 'LOG'],
        ],
      },
      ['action', 1, 0],
    ],
    [{ code: 250 }, ['code']],
    [{ code: 600 }, ['code']],
    [{ message: 'two\r\nlines' }, ['message']],
    [{ mode: 'PER_RECIPIENT' }, ['mode']],
    [{ tag: '' }, ['tag']],
  ])('%j is refused', (more, path) => {
    expect(mistakes(policy(more))).toMatchObject([{ path: ['chain', 0, ...path] }]);
  });

  it('an unknown one names the nearest', () => {
    expect(mistakes(policy({ mesage: 'x' }))).toMatchObject([{ key: 'mesage', suggestion: 'message' }]);
  });
});

it('a filter between policies that names no policies changes nothing', () => {
  const noop = defineFilter({ name: 'noop', summary: 'n', config: z.strictObject({}), create: () => () => ({}) });
  const steps = [policy({}), { filter: 'noop' }, policy({ tag: 'u', match: { matcher: 'policy_action', tag: 't' } })];
  expect(mistakesOf({ steps, extraFilters: [noop] })).toEqual([]);
});

describe('a rule that can never fire', () => {
  const auth = { matcher: 'smtp_auth' };
  const tls = { matcher: 'smtp_tls' };
  const tagIs = (tag: string) => ({ matcher: 'policy_action', tag });
  const ruleIs = (rule: string) => ({ matcher: 'policy_action', rule });
  const why = (...steps: StepYaml[]): string | undefined => mistakes(...steps)[0]?.message;

  it.each([
    [
      'has everything rejected above it',
      [policy({ name: 'wall', action: 'REJECT' }), policy({ tag: 'u' })],
      "'wall' above it rejects everything",
    ],
    [
      'follows a rejection of every recipient',
      [policy({ mode: 'PER_RCPT', action: 'REJECT' }), policy({ tag: 'u', mode: 'PER_RCPT' })],
      "'t' above it rejects everything",
    ],
    [
      'follows one of its tag that always settles it',
      [policy({}), policy({ match: auth })],
      'same tag and settles it first',
    ],
    [
      'asks what one of its tag has asked',
      [
        policy({
          match: auth,
          action: [
            [1, 'MATCH'],
            [1, 'REJECT'],
          ],
        }),
        policy({ name: 'n', match: auth }),
      ],
      'same tag and settles it first',
    ],
    [
      'asks for the tag of one that only logs',
      [policy({ action: 'LOG' }), policy({ tag: 'u', match: tagIs('t') })],
      'LOG only logs',
    ],
    [
      'asks for one that rejects what it matches',
      [policy({ match: auth, action: 'REJECT' }), policy({ tag: 'u', match: ruleIs('t') })],
      'rejects, and nothing gets here',
    ],
    [
      'contradicts itself',
      [policy({ match: { all: [auth, tls, { not: auth }] } })],
      'the opposite of another condition',
    ],
    [
      'asks for fewer than no level',
      [
        { filter: 'message_validation' },
        policy({ match: { matcher: 'message_validation', validity_threshold: 'NONE' } }),
      ],
      'below NONE',
    ],
    [
      'asks for more recipients than are taken',
      [policy({ mode: 'PER_RCPT', match: { matcher: 'num_rcpts', max_rcpts: 1000 } })],
      'at most 1000',
    ],
    [
      'has an impossible condition among others',
      [policy({ action: 'LOG' }), policy({ tag: 'u', match: { all: [auth, tagIs('t')] } })],
      'LOG only logs',
    ],
    [
      'is the opposite of what always holds',
      [policy({ action: 'LOG' }), policy({ tag: 'u', match: { not: { not: tagIs('t') } } })],
      'always holds',
    ],
  ] as [string, StepYaml[], string][])('because it %s is refused', (_, steps, expected) => {
    expect(why(...steps)).toMatch(/^this rule can never fire: /);
    expect(why(...steps)).toContain(expected);
  });

  it.each([
    [
      'a rejection of the rest below those that may pass',
      [policy({ match: auth }), policy({ action: 'REJECT' }), policy({ tag: 'u' })],
    ],
    [
      'a rejection at DATA above a rule for MAIL',
      [
        { filter: 'message_validation' },
        policy({ match: { matcher: 'message_validation', max_received_headers: 9 }, action: 'REJECT' }),
        policy({ tag: 'u', match: auth }),
      ],
    ],
    ['the same question with another tag', [policy({ match: auth }), policy({ tag: 'u', match: auth })]],
    ['the same question after a LOG', [policy({ match: auth, action: 'LOG' }), policy({ name: 'n', match: auth })]],
    [
      'one that may pass once in a while',
      [
        policy({
          match: auth,
          action: [
            [1, 'REJECT'],
            [1, 'MATCH'],
          ],
        }),
        policy({ tag: 'u', match: tagIs('t') }),
      ],
    ],
    ['one way out of several', [policy({ action: 'LOG' }), policy({ tag: 'u', match: { any: [auth, tagIs('t')] } })]],
    [
      'recipients that were rejected, seen by the transaction',
      [
        policy({ mode: 'PER_RCPT', match: { matcher: 'invalid_rcpt_to' }, action: 'REJECT' }),
        policy({ tag: 'u', match: tagIs('t') }),
      ],
    ],
  ] as [string, StepYaml[]][])('is not %s', (_, steps) => {
    expect(mistakes(...steps)).toEqual([]);
  });

  it('is told with its place', () => {
    const found = mistakes(policy({ match: { any: [{ all: [auth, { not: auth }] }] } }));
    expect(found.map(({ path }) => path)).toEqual([['chain', 0, 'match', 'any', 0, 'all', 1]]);
  });
});
