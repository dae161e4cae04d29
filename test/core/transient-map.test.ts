/** A map whose contents come and go is a map. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TransientMap } from '../../src/lib/core/transient-map.ts';

const step = fc.record({ key: fc.integer({ min: 0, max: 5 }), does: fc.constantFrom('set', 'delete') });

describe('a transient map', () => {
  it('has what a map of the language would have, in the same order', () => {
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const ours = new TransientMap<number, { step: number }>();
        const theirs = new Map<number, { step: number }>();
        steps.forEach(({ key, does }, index) => {
          const value = { step: index };
          if (does === 'delete') {
            expect(ours.delete(key)).toBe(theirs.delete(key));
          } else {
            ours.set(key, value);
            theirs.set(key, value);
          }
          expect([ours.has(key), ours.get(key), ours.size]).toEqual([theirs.has(key), theirs.get(key), theirs.size]);
        });
        expect([...ours.values()]).toEqual([...theirs.values()]);
      }),
    );
  });

  it('may lose what it is asked for while somebody looks through it', () => {
    const map = new TransientMap<string, { name: string }>();
    for (const name of ['a', 'b', 'c']) map.set(name, { name });
    const seen: string[] = [];
    for (const { name } of map.values()) {
      seen.push(name);
      map.delete(name);
      map.delete('b');
    }
    expect(seen).toEqual(['a', 'c']);
    expect(map.size).toBe(0);
  });
});
