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
  const steps = [policy({}), { filter: 'noop' }, policy({ match: { matcher: 'policy_action', tag: 't' } })];
  expect(mistakesOf({ steps, extraFilters: [noop] })).toEqual([]);
});
