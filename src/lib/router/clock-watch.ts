/**
 * Notices that the wall clock was set back, and has what waits for its next attempt wait no longer for that. Durations within the process are
 * not concerned, they are measured by a clock that nobody sets; due times in the store are instants, which somebody reads who was not there.
 */
import type { Clock, Deps } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { Store } from '../store/store.ts';

/**
 * The clock of a router. It remembers the latest time it ever told anybody, so that no due time escapes the watch: a look now and then would
 * not see a clock that is set forward, used, and set back between two looks.
 */
export class RouterClock implements Clock {
  readonly #clock: Clock;
  /** By how much the wall clock was ahead of the monotonic one, at most. */
  #aheadMs: number;
  /** Told last: when it is told again, the wall clock is no further ahead than it was. */
  #toldMs = Number.NaN;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#aheadMs = clock.now() - clock.monotonicMs();
  }

  now(): number {
    const now = this.#clock.now();
    if (now === this.#toldMs) return now;
    this.#toldMs = now;
    const aheadMs = now - this.#clock.monotonicMs();
    if (aheadMs > this.#aheadMs) this.#aheadMs = aheadMs;
    return now;
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal);
  }

  after(ms: number, callback: () => void): () => void {
    return this.#clock.after(ms, callback);
  }

  /** By how much it was set back since the latest time it told; that is forgotten. */
  takeSetBackMs(): number {
    const aheadMs = this.#clock.now() - this.#clock.monotonicMs();
    const setBackMs = this.#aheadMs - aheadMs;
    if (setBackMs > limits.clockSkewMs) {
      this.#aheadMs = aheadMs;
      this.#toldMs = Number.NaN;
    }
    return Math.max(0, setBackMs);
  }
}

export interface ClockWatchOptions {
  readonly clock: RouterClock;
  readonly log: Deps['log'];
  readonly store: Pick<Store, 'correctDueTimes'>;
  /** Hears that something may have fallen due. */
  readonly onDue: () => void;
}

const LOOK_MS = 1000;
/** What was on its way to the store when the clock was set back is there at the second look. */
const LOOKS = 2;

/** Runs until `stop` aborts; begins with what was set back while nobody was looking. */
export async function watchClock({ clock, log, store, onDue }: ClockWatchOptions, stop: AbortSignal): Promise<void> {
  for (let looks = 1; !stop.aborted; ) {
    const setBackMs = clock.takeSetBackMs();
    if (setBackMs > limits.clockSkewMs) {
      log.warn({ byMs: Math.round(setBackMs) }, 'the wall clock was set back');
      looks = LOOKS;
    }
    if (looks > 0) {
      try {
        const corrected = await correct(store, clock.now());
        looks -= 1;
        if (corrected > 0) log.warn({ corrected }, 'waiting transactions had due times by a clock that was ahead');
        if (corrected > 0) onDue();
      } catch (error) {
        log.warn({ error }, 'due times could not be corrected, trying again');
      }
    }
    await clock.sleep(LOOK_MS, stop);
  }
}

/** In batches, so that nobody waits for it for long. */
async function correct(store: ClockWatchOptions['store'], now: number): Promise<number> {
  let total = 0;
  for (;;) {
    const corrected = await store.correctDueTimes(now, limits.dueCorrections);
    total += corrected;
    if (corrected < limits.dueCorrections) return total;
  }
}
