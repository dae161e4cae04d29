/** The table of a benchmark does not contradict itself: however its figures are rounded, what stands for all runs lies between the slowest and the fastest. */
import fc from 'fast-check';
import { expect, it } from 'vitest';

interface Run {
  readonly delivered_per_s: number;
  readonly accepted_per_s: number;
  readonly lost: number;
}

interface Comparison {
  judgeCase(
    theCase: object,
    load: object,
    contestants: readonly { readonly name: string; readonly runs: readonly Run[] }[],
  ): object;
}

interface Table {
  tableOf(everything: {
    readonly machine: object;
    readonly peers: object;
    readonly results: readonly object[];
  }): string;
}

const bench = (file: string): string => new URL(`../../bench/${file}`, import.meta.url).href;
const { judgeCase }: Comparison = await import(bench('comparison.mjs'));
const { tableOf }: Table = await import(bench('table.mjs'));

const rate = fc.double({ min: 0.01, max: 1e6, noNaN: true });

/** The cells of the line of Koukan. */
function printed(rates: readonly number[]): readonly string[] {
  const runs = rates.map((each) => ({ delivered_per_s: each, accepted_per_s: each, lost: 0 }));
  const result = judgeCase({ name: 'relay-4k', goals: [] }, {}, [{ name: 'koukan', runs }]);
  const [, line = ''] = tableOf({ machine: {}, peers: {}, results: [result] }).split('\n');
  return line.split(/ {2,}/);
}

it('prints a rate that lies within the range beside it', () => {
  fc.assert(
    fc.property(fc.array(rate, { minLength: 1, maxLength: 7 }), (rates) => {
      const [, , median = '', range = ''] = printed(rates);
      const [least, greatest] = range.split('-').map(Number);
      expect(Number(median)).toBeGreaterThanOrEqual(least ?? Number.NaN);
      expect(Number(median)).toBeLessThanOrEqual(greatest ?? Number.NaN);
    }),
  );
});

it('prints one run as a range of one figure, its own', () => {
  expect(printed([3717.44]).slice(2, 5)).toEqual(['3717', '3717-3717', '3717']);
});
