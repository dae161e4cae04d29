/** An answer that is waited for, but not for ever. */
import type { Clock } from './deps.ts';

/** Waits that somebody may want to end early: each function ends one. */
export type Waits = Set<() => void>;

/**
 * The answer, or `late` when it does not come in time, or when the wait is ended through `waits`. What comes after that is nobody's any more,
 * a rejection included.
 */
export function inTime<T, L>(answer: Promise<T>, ms: number, clock: Clock, late: L, waits?: Waits): Promise<T | L> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      over();
      resolve(late);
    };
    // No time at all: an answer that is there already counts, and nothing else.
    const forget = ms > 0 ? clock.after(ms, giveUp) : undefined;
    const over = (): void => {
      forget?.();
      waits?.delete(giveUp);
    };
    waits?.add(giveUp);
    answer.then(
      (value) => {
        over();
        resolve(value);
      },
      (error: unknown) => {
        over();
        reject(error as Error);
      },
    );
    if (forget === undefined) queueMicrotask(giveUp);
  });
}
