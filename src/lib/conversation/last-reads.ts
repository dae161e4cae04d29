/**
 * Lets a process that ends wait until its REST clients have read how their transactions ended: who misses an answer asks a closed door, and
 * may send the message again.
 */
import type { Clock } from '../core/deps.ts';
import { limits } from '../core/limits.ts';

/** A transaction that may have a reader. */
export interface Readable {
  /** It has ended and its reader knows how, or there is none. */
  readonly isSeen: boolean;
}

export class LastReads {
  #onRead: () => void = () => undefined;

  /** Somebody has read something. */
  noted(): void {
    this.#onRead();
  }

  /** Resolves when all are seen, after `limits.drainLingerMs`, or when `hurry` aborts. */
  async wait(all: () => Iterable<Readable>, clock: Clock, hurry: AbortSignal): Promise<void> {
    const enough = new AbortController();
    this.#onRead = () => {
      if ([...all()].every(({ isSeen }) => isSeen)) enough.abort();
    };
    this.#onRead();
    await clock.sleep(limits.drainLingerMs, AbortSignal.any([hurry, enough.signal]));
  }
}
