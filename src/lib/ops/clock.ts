/** The clock of the machine: with its neighbours in this folder, the only place that reads the time or sets a timer. */
import type { Clock } from '../core/deps.ts';
import { TimerWheel } from './timer-wheel.ts';

/** What a timer of the platform can hold; longer waits are made of several. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Waits of this length or more may end a little late, and share one timer. */
const COARSE_MS = 1000;
const wheel = new TimerWheel({
  monotonicMs: () => performance.now(),
  every(ms, callback) {
    const timer = setInterval(callback, ms);
    return {
      stop: () => clearInterval(timer),
      keepAlive: (isNeeded) => void (isNeeded ? timer.ref() : timer.unref()),
    };
  },
});

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(ms, signal) {
    // Not of the wall clock: when that is set back by an hour, nobody wants to sleep an hour longer.
    const end = performance.now() + ms;
    for (let left = ms; left > 0 && !signal?.aborted; left = end - performance.now()) {
      await pause(Math.min(left, TIMER_MAX_MS), signal);
    }
  },
  after: later,
};

function later(ms: number, callback: () => void): () => void {
  return ms >= COARSE_MS ? wheel.after(ms, callback) : soon(ms, callback);
}

function soon(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
