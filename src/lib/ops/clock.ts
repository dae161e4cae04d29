/** The clock of the machine: with its neighbours in this folder, the only place that reads the time or sets a timer. */
import type { Clock } from '../core/deps.ts';

/** What a timer of the platform can hold; longer waits are made of several. */
const TIMER_MAX_MS = 2 ** 31 - 1;

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
  let timer = setTimeout(next, Math.min(ms, TIMER_MAX_MS));
  let left = ms - TIMER_MAX_MS;
  function next(): void {
    if (left <= 0) {
      callback();
      return;
    }
    timer = setTimeout(next, Math.min(left, TIMER_MAX_MS));
    left -= TIMER_MAX_MS;
  }
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
