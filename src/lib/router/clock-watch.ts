/**
 * Notices that the wall clock was set back, and has what waits for its next attempt wait no longer for that. Durations within the process are
 * not concerned, they are measured by a clock that nobody sets; due times in the store are instants, which somebody reads who was not there.
 */
import type { Deps } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { Store } from '../store/store.ts';

export interface ClockWatchOptions {
  readonly deps: Pick<Deps, 'clock' | 'log'>;
  readonly store: Pick<Store, 'correctDueTimes'>;
  /** Hears that something may have fallen due. */
  readonly onDue: () => void;
}

const LOOK_MS = 1000;

/** Runs until `stop` aborts; begins with what was set back while nobody was looking. */
export async function watchClock({ deps, store, onDue }: ClockWatchOptions, stop: AbortSignal): Promise<void> {
  const { clock, log } = deps;
  const ahead = (): number => clock.now() - clock.monotonicMs();
  let isToCorrect = true;
  for (let seen = ahead(); !stop.aborted; seen = Math.max(seen, ahead())) {
    if (seen - ahead() > limits.clockSkewMs) {
      log.warn({ byMs: Math.round(seen - ahead()) }, 'the wall clock was set back');
      seen = ahead();
      isToCorrect = true;
    }
    if (isToCorrect) {
      try {
        const corrected = await correct(store, clock.now());
        isToCorrect = false;
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
