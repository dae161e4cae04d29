/** Places for many who ask: what a flood gets, and what it leaves. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairShares, mayTake, reserveOf } from '../../src/lib/core/fair-shares.ts';

/** As everybody does who shares: asks, and takes. */
function tryTake(shares: FairShares, key: string): boolean {
  const isOpen = shares.isOpenTo(key);
  if (isOpen) shares.take(key);
  return isOpen;
}

/** What happens one after the other: somebody asks, or gives back. */
const events = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), leaves: fc.boolean() }), {
  maxLength: 400,
});

function play(shares: FairShares, script: readonly { key: string; leaves: boolean }[]): Map<string, number> {
  const own = new Map<string, number>();
  for (const { key, leaves } of script) {
    const have = own.get(key) ?? 0;
    if (leaves && have > 0) {
      shares.leave(key);
      own.set(key, have - 1);
    } else if (!leaves && tryTake(shares, key)) own.set(key, have + 1);
  }
  return own;
}

describe('fair shares', () => {
  it('never give out more than there is, and know how much that is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), events, (limit, script) => {
        const shares = new FairShares(limit);
        const own = play(shares, script);
        const taken = [...own.values()].reduce((sum, each) => sum + each, 0);
        expect(shares.used).toBe(taken);
        expect(taken).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('give everything back', () => {
    fc.assert(
      fc.property(events, (script) => {
        const shares = new FairShares(20);
        const own = play(shares, script);
        for (const [key, count] of own) for (let i = 0; i < count; i += 1) shares.leave(key);
        expect(shares.used).toBe(0);
        expect(shares.atOnce).toBe(18);
        expect(mayTake({ limit: 20, used: 0, own: 0, parties: 1 })).toBe(true);
      }),
    );
  });

  it('always have room for whoever comes while one floods', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 500 }), fc.integer({ min: 1, max: 50 }), (limit, wanted) => {
        const shares = new FairShares(limit);
        while (tryTake(shares, 'flood'));
        expect(shares.used).toBe(limit - reserveOf(limit));
        const got = Array.from({ length: Math.min(wanted, reserveOf(limit)) }, () => tryTake(shares, 'late'));
        expect(got).not.toContain(false);
      }),
    );
  });

  it('lead to equal parts, however far ahead the first one was', () => {
    fc.assert(
      fc.property(fc.integer({ min: 30, max: 300 }), fc.integer({ min: 2, max: 4 }), (limit, parties) => {
        const shares = new FairShares(limit);
        const keys = Array.from({ length: parties }, (_, i) => `k${i}`);
        const own = new Map(keys.map((key) => [key, 0]));
        const take = (key: string): void => {
          if (tryTake(shares, key)) own.set(key, (own.get(key) ?? 0) + 1);
        };
        for (let i = 0; i < limit; i += 1) take('k0');
        // Everybody asks all the time; what was begun first ends first.
        for (let round = 0; round < 20 * limit; round += 1) {
          const longest = [...own].sort((a, b) => b[1] - a[1])[0]?.[0] as string;
          shares.leave(longest);
          own.set(longest, (own.get(longest) ?? 0) - 1);
          for (const key of keys) take(key);
        }
        const share = Math.floor(limit / (parties + 1));
        for (const count of own.values()) expect(count).toBeGreaterThanOrEqual(share - 1);
      }),
      { numRuns: 30 },
    );
  });

  it('of a few places are first come, first served', () => {
    const shares = new FairShares(3);
    expect([1, 2, 3, 4].map(() => tryTake(shares, 'one'))).toEqual([true, true, true, false]);
  });

  it('count what had to be taken, and refuse until it is given back', () => {
    const shares = new FairShares(1);
    shares.take('a');
    shares.take('b');
    expect([shares.used, shares.atOnce, shares.isOpenTo('c')]).toEqual([2, 0, false]);
    shares.leave('a');
    expect(shares.isOpenTo('c')).toBe(false);
    shares.leave('b');
    expect(shares.isOpenTo('c')).toBe(true);
  });

  it('say how many may be given out at once, so that nobody gets more than one by one, and who gets no more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 2, max: 10 }), events, (limit, part, script) => {
        const shares = new FairShares(limit, part);
        const own = play(shares, script);
        for (const [key, count] of own) expect(shares.closed.includes(key)).toBe(count > 0 && !shares.isOpenTo(key));
        const { atOnce } = shares;
        expect(atOnce).toBeLessThanOrEqual(limit - shares.used);
        for (let i = 0; i < atOnce; i += 1) expect(tryTake(shares, 'who was not here yet')).toBe(true);
      }),
    );
  });
});
