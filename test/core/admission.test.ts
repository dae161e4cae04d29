/** When a process says that it has too much to do, and when that is over. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeLoad, type Load, type LoadHistory, NO_HISTORY } from '../../src/lib/core/admission.ts';
import { limits } from '../../src/lib/core/limits.ts';

const idle: Load = { lateMs: 0, waitingWrites: 0, waitingBytes: 0 };
const late: Load = { ...idle, lateMs: limits.overloadLateMs + 1 };
const over = (...looks: readonly Load[]): readonly LoadHistory['overload'][] => {
  let history = NO_HISTORY;
  return looks.map((load) => {
    history = judgeLoad(load, history);
    return history.overload;
  });
};

describe('the judgement of a load', () => {
  it('forgives a late look, and not several in a row', () => {
    expect(over(late, late, idle, late, late, late)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      'loop',
    ]);
  });

  it('is over when the looks are in time again, not when they are only just not too late', () => {
    const hardly = { ...idle, lateMs: limits.overloadLateMs * 0.75 };
    expect(over(late, late, late, hardly, idle).slice(2)).toEqual(['loop', 'loop', undefined]);
  });

  it('sees at once what waits for the store, by number and by bytes', () => {
    expect(over({ ...idle, waitingWrites: limits.overloadWrites + 1 })).toEqual(['store']);
    expect(over({ ...idle, waitingBytes: limits.overloadWriteBytes + 1 })).toEqual(['store']);
    const half = { ...idle, waitingWrites: limits.overloadWrites * 0.75 };
    expect(over(half)).toEqual([undefined]);
    expect(over({ ...idle, waitingWrites: limits.overloadWrites + 1 }, half, idle)).toEqual([
      'store',
      'store',
      undefined,
    ]);
  });

  it('never outlasts what caused it, and never comes without a cause', () => {
    const loads = fc.record({
      lateMs: fc.integer({ min: 0, max: 2 * limits.overloadLateMs }),
      waitingWrites: fc.integer({ min: 0, max: 2 * limits.overloadWrites }),
      waitingBytes: fc.integer({ min: 0, max: 2 * limits.overloadWriteBytes }),
    });
    fc.assert(
      fc.property(fc.array(loads, { maxLength: 30 }), (looks) => {
        expect(over(...looks, idle).at(-1)).toBe(undefined);
        const calm = looks.map((load) => ({
          lateMs: Math.min(load.lateMs, limits.overloadLateMs),
          waitingWrites: Math.min(load.waitingWrites, limits.overloadWrites),
          waitingBytes: Math.min(load.waitingBytes, limits.overloadWriteBytes),
        }));
        expect(new Set(over(...calm))).toEqual(new Set(calm.length === 0 ? [] : [undefined]));
      }),
    );
  });
});
