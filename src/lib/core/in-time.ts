/** An answer that is waited for, but not for ever. */
import type { Clock } from './deps.ts';

/**
 * The answer, or `late` when it does not come in time; without any time only an answer that is there already counts. What comes after that is
 * nobody's any more, a rejection included.
 */
export function inTime<T, L>(answer: Promise<T>, ms: number, clock: Clock, late: L): Promise<T | L> {
  return new Promise((resolve, reject) => {
    const forget = ms > 0 ? clock.after(ms, () => resolve(late)) : undefined;
    answer.then(
      (value) => {
        forget?.();
        resolve(value);
      },
      (error: unknown) => {
        forget?.();
        reject(error as Error);
      },
    );
    if (forget === undefined) queueMicrotask(() => resolve(late));
  });
}
