/** The admission of a process: looks at its load a few times a second, and tells the doors. */
import {
  type Admission,
  type Door,
  judgeLoad,
  type Load,
  NO_HISTORY,
  type Overload,
  type Refusal,
} from '../core/admission.ts';
import type { Clock, Log } from '../core/deps.ts';
import { limits } from '../core/limits.ts';

export interface LoadWatchOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** What waits for the store, if there is one. */
  readonly waiting: () => Omit<Load, 'lateMs'>;
  readonly onRefused?: (door: Door, why: Refusal) => void;
}

export class LoadWatch implements Admission {
  readonly #options: LoadWatchOptions;
  #history = NO_HISTORY;

  constructor(options: LoadWatchOptions) {
    this.#options = options;
  }

  get overload(): Overload | undefined {
    return this.#history.overload;
  }

  refused(door: Door, why: Refusal): void {
    this.#options.onRefused?.(door, why);
  }

  /** Looks until `stop` aborts. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!stop.aborted) {
      const dueAt = clock.monotonicMs() + limits.overloadLookMs;
      await clock.sleep(limits.overloadLookMs, stop);
      if (!stop.aborted) this.look(clock.monotonicMs() - dueAt);
    }
  }

  /** One look, that comes so late. */
  look(lateMs: number): void {
    const { waiting, log } = this.#options;
    const before = this.#history;
    this.#history = judgeLoad({ lateMs: Math.max(0, lateMs), ...waiting() }, before);
    if (this.overload === before.overload) return;
    const fields = { overload: this.overload, lateMs, ...waiting() };
    if (this.overload === undefined) log.info(fields, 'the load is over, new mail is taken again');
    else log.warn(fields, 'too much to do: new mail is asked to come later');
  }
}
