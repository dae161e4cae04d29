/** Waits that share one timer: each ends in its time or is taken back, and nothing runs while nobody waits. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Ticker, TimerWheel } from '../../src/lib/ops/timer-wheel.ts';

/** A platform whose time a test moves. */
class Platform {
  now = 12_345.6;
  /** Whether a process that has nothing else to do would live on. */
  isKeptAlive = false;
  #callback: (() => void) | undefined;

  get isRunning(): boolean {
    return this.#callback !== undefined;
  }

  monotonicMs(): number {
    return this.now;
  }

  every(_ms: number, callback: () => void): Ticker {
    this.#callback = callback;
    this.isKeptAlive = true;
    return {
      stop: () => {
        this.#callback = undefined;
        this.isKeptAlive = false;
      },
      keepAlive: (isNeeded) => {
        this.isKeptAlive = isNeeded;
      },
    };
  }

  /** So much time passes before the timer has its next turn. */
  turn(ms = 100): void {
    this.now += ms;
    this.#callback?.();
  }
}

const waits = fc.array(
  fc.record({ ms: fc.integer({ min: 0, max: 200_000 }), isTakenBack: fc.boolean(), isEarly: fc.boolean() }),
  { maxLength: 30 },
);

it('calls each wait back once, never early and two looks late at most, unless it was taken back', () => {
  fc.assert(
    fc.property(waits, (asks) => {
      const platform = new Platform();
      const wheel = new TimerWheel(platform);
      const begun = platform.now;
      const ended: number[][] = asks.map(() => []);
      const forgets = asks.map(({ ms }, i) => wheel.after(ms, () => ended[i]?.push(platform.now - begun)));
      for (const [i, ask] of asks.entries()) if (ask.isTakenBack && ask.isEarly) forgets[i]?.();
      for (let turns = 0; turns < 2100 && platform.isRunning; turns += 1) platform.turn();
      for (const [i, ask] of asks.entries()) if (ask.isTakenBack) forgets[i]?.();
      for (const [i, { ms, isTakenBack, isEarly }] of asks.entries()) {
        const calls = ended[i] ?? [];
        expect(calls).toHaveLength(isTakenBack && isEarly ? 0 : 1);
        for (const after of calls) expect(after >= ms && after <= ms + 200).toBe(true);
      }
      expect(platform.isRunning).toBe(false);
    }),
  );
});

it('after a long standstill whatever is due ends at the first look, and nothing else', () => {
  const platform = new Platform();
  const wheel = new TimerWheel(platform);
  const calls: string[] = [];
  wheel.after(1000, () => calls.push('second'));
  wheel.after(60_000, () => calls.push('minute'));
  wheel.after(3_600_000, () => calls.push('hour'));
  platform.turn(120_000);
  expect(calls.toSorted()).toEqual(['minute', 'second']);
  expect(platform.isRunning).toBe(true);
});

it('a wait that ends may take back another that is due, and begin a new one', () => {
  const platform = new Platform();
  const wheel = new TimerWheel(platform);
  const calls: string[] = [];
  wheel.after(1000, () => {
    calls.push('first');
    forget();
    wheel.after(1000, () => calls.push('later'));
  });
  const forget = wheel.after(1000, () => calls.push('never'));
  platform.turn(1500);
  expect(calls).toEqual(['first']);
  platform.turn(1500);
  expect(calls).toEqual(['first', 'later']);
  expect(platform.isRunning).toBe(false);
});

it('a wait without end is no trouble', () => {
  const platform = new Platform();
  const forget = new TimerWheel(platform).after(Number.POSITIVE_INFINITY, () => {
    throw new Error('never');
  });
  platform.turn(1e12);
  forget();
  platform.turn();
  expect(platform.isRunning).toBe(false);
});

it('keeps a process alive for as long as somebody waits, not until the next look', () => {
  const platform = new Platform();
  const wheel = new TimerWheel(platform);
  const first = wheel.after(5000, () => undefined);
  const second = wheel.after(5000, () => undefined);
  first();
  expect(platform.isKeptAlive).toBe(true);
  second();
  expect(platform.isKeptAlive).toBe(false);
  wheel.after(5000, () => undefined);
  expect(platform.isKeptAlive).toBe(true);
});
