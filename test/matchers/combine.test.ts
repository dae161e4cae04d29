/** The algebra of verdicts: any, all and not, with facts that do not exist. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TxContext } from '../../src/lib/chain/filter.ts';
import { allOf, anyOf, not } from '../../src/lib/matchers/combine.ts';
import type { Matcher, Verdict } from '../../src/lib/matchers/matcher.ts';

const tx = {} as TxContext;
const ask = (matcher: Matcher): Verdict => matcher(tx, undefined);
const constant =
  (verdict: Verdict): Matcher =>
  () =>
    verdict;

const verdict = fc.constantFrom<Verdict>('match', 'noMatch', 'unmet');
const leaf = verdict.map(constant);
/** Trees of any, all and not over constants. */
const { tree } = fc.letrec<{ tree: Matcher }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }).map(anyOf),
    fc.array(tie('tree'), { maxLength: 4 }).map(allOf),
    tie('tree').map(not),
  ),
}));

describe('any, all, not', () => {
  it.each<[readonly Verdict[], Verdict, Verdict]>([
    [['match'], 'match', 'match'],
    [['noMatch'], 'noMatch', 'noMatch'],
    [['unmet'], 'unmet', 'unmet'],
    [['noMatch', 'match'], 'match', 'noMatch'],
    [['match', 'noMatch'], 'match', 'noMatch'],
    [['unmet', 'match'], 'unmet', 'unmet'],
    [['match', 'unmet'], 'match', 'unmet'],
    [['unmet', 'noMatch'], 'unmet', 'unmet'],
    [['noMatch', 'unmet'], 'unmet', 'noMatch'],
    [[], 'noMatch', 'match'],
  ])('%j: any %s, all %s', (verdicts, any, all) => {
    const each = verdicts.map(constant);
    expect([ask(anyOf(each)), ask(allOf(each))]).toEqual([any, all]);
  });

  it.each<[Verdict, Verdict]>([
    ['match', 'noMatch'],
    ['noMatch', 'match'],
    ['unmet', 'unmet'],
  ])('not %s is %s', (given, expected) => {
    expect(ask(not(constant(given)))).toBe(expected);
  });

  it('not not x is x, and any and all are each other’s negation (De Morgan)', () => {
    fc.assert(
      fc.property(fc.array(tree, { maxLength: 5 }), tree, (each, one) => {
        expect(ask(not(not(one)))).toBe(ask(one));
        expect(ask(not(anyOf(each)))).toBe(ask(allOf(each.map(not))));
        expect(ask(not(allOf(each)))).toBe(ask(anyOf(each.map(not))));
      }),
    );
  });

  it('nesting a list in a list of its kind changes nothing', () => {
    fc.assert(
      fc.property(fc.array(tree), fc.array(tree), (left, right) => {
        expect(ask(anyOf([anyOf(left), ...right]))).toBe(ask(anyOf([...left, ...right])));
        expect(ask(allOf([allOf(left), ...right]))).toBe(ask(allOf([...left, ...right])));
      }),
    );
  });

  it('with every fact known it is the algebra of Booleans', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean()), (facts) => {
        const each = facts.map((fact) => constant(fact ? 'match' : 'noMatch'));
        expect(ask(anyOf(each)) === 'match').toBe(facts.some(Boolean));
        expect(ask(allOf(each)) === 'match').toBe(facts.every(Boolean));
      }),
    );
  });
});
