/** Guessing what a mistyped name was meant to be. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editDistance, nearestName } from '../../src/lib/core/nearest-name.ts';

const names = ['rest_listener', 'rest_endpoint', 'sender', 'endpoint', 'storage', 'log', 'policy_action', 'router'];

describe('the nearest name', () => {
  it.each([
    ['storag', 'storage'],
    ['sotrage', 'storage'],
    ['Sender', 'sender'],
    ['rest_listner', 'rest_listener'],
    ['policy', 'policy_action'],
    ['routers', 'router'],
    ['xyzzy', undefined],
    ['a', undefined],
  ])('to %s is %s', (typed, expected) => {
    expect(nearestName(typed, names)).toBe(expected);
  });
});

describe('the edit distance', () => {
  const word = fc.string({ maxLength: 12, unit: fc.constantFrom('a', 'b', 'c') });

  it('is zero exactly for equal words, and the same both ways', () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        return (distance === 0) === (a === b) && distance === editDistance(b, a);
      }),
    );
  });

  it('lies between the difference of the lengths and the longer length', () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        return distance >= Math.abs(a.length - b.length) && distance <= Math.max(a.length, b.length);
      }),
    );
  });

  it('counts a swap of neighbours as one slip', () => {
    expect(editDistance('abc', 'acb')).toBe(1);
  });
});
