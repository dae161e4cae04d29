import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatContentRange, parseContentRange, parseUnsatisfiedRange } from '../../src/lib/http/content-range.ts';

describe('Content-Range', () => {
  it('comes back as it was written, with a known or an open total', () => {
    const range = fc
      .tuple(fc.nat(1e12), fc.integer({ min: 1, max: 1e12 }), fc.option(fc.nat(1e12), { nil: undefined }))
      .map(([start, size, rest]) => {
        const end = start + size;
        return rest === undefined ? { start, end } : { start, end, total: end + rest };
      });
    fc.assert(
      fc.property(range, (given) => {
        expect(parseContentRange(formatContentRange(given))).toEqual(given);
      }),
    );
  });

  it('never throws and never yields an empty or contradictory range, whatever the header says', () => {
    const header = fc.oneof(fc.string(), fc.stringMatching(/^bytes [0-9*-]{0,6}\/?[0-9*]{0,4}$/));
    fc.assert(
      fc.property(header, (text) => {
        const range = parseContentRange(text);
        if (range === undefined) return;
        expect(range.end).toBeGreaterThan(range.start);
        expect(range.total ?? range.end).toBeGreaterThanOrEqual(range.end);
      }),
    );
  });

  it.each([
    'bytes */10',
    'bytes 5-4/10',
    'bytes 0-9/5',
    'bytes 0-9',
    'bits 0-9/10',
    'bytes -1-9/10',
    'bytes 0-9/10 trailing',
    'bytes 0-9999999999999999999/*',
    '',
  ])('refuses %j', (header) => {
    expect(parseContentRange(header)).toBeUndefined();
  });

  it('reads the length of an unsatisfied range', () => {
    expect(parseUnsatisfiedRange('bytes */42')).toBe(42);
    expect(parseUnsatisfiedRange('bytes 0-1/42')).toBeUndefined();
  });
});
