/** The watch over the wall clock: whatever time was told to anybody counts, not what a look now and then happens to see. */
import { describe, expect, it } from 'vitest';
import { RouterClock, watchClock } from '../../src/lib/router/clock-watch.ts';
import { FakeClock, settle } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';

const HOUR = 3_600_000;

function watching() {
  const machine = new FakeClock();
  const clock = new RouterClock(machine);
  const corrections: number[] = [];
  const stop = new AbortController();
  let failures = 0;
  const store = {
    correctDueTimes: (now: number) => {
      if (failures > 0) {
        failures -= 1;
        return Promise.reject(new Error('away'));
      }
      corrections.push(now);
      return Promise.resolve(0);
    },
  };
  const ended = watchClock({ clock, log: memoryLog(), store, onDue: () => undefined }, stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await ended;
  };
  return { machine, clock, corrections, end, fail: (count: number) => (failures = count) };
}

describe('the watch over the wall clock', () => {
  it('corrects once at the start, and no more while nobody sets the clock', async () => {
    const { machine, corrections, end } = watching();
    await machine.advance(60_000);
    expect(corrections).toHaveLength(1);
    await end();
  });

  it('notices that the clock was ahead when somebody read it between two looks', async () => {
    const { machine, clock, corrections, end } = watching();
    await settle();
    machine.set(5 * HOUR);
    clock.now();
    machine.set(-5 * HOUR);
    await machine.advance(5000);
    expect(corrections).toHaveLength(3);
    await end();
  });

  it('does nothing about a time that nobody was told', async () => {
    const { machine, corrections, end } = watching();
    await settle();
    machine.set(5 * HOUR);
    machine.set(-5 * HOUR);
    await machine.advance(5000);
    expect(corrections).toHaveLength(1);
    await end();
  });

  it('looks twice, for what was on its way to the store, and goes on when the store is away', async () => {
    const { machine, corrections, end, fail } = watching();
    await settle();
    fail(3);
    machine.set(-HOUR);
    await machine.advance(20_000);
    expect(corrections).toHaveLength(3);
    await end();
  });
});
