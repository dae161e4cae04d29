/**
 * The moment between listening and serving. A process listens first: that its port is in use has to be found out before it takes over anything from
 * the process that has it. Who comes in that moment waits, instead of being put off; only a supervisor is answered.
 */
import type { Clock } from '../core/deps.ts';
import { inTime } from '../core/in-time.ts';
import { limits } from '../core/limits.ts';
import { RequestProblem } from './service.ts';

export class Opening {
  readonly #clock: Clock;
  readonly #settled: Promise<boolean>;
  #settle: (isOpen: boolean) => void = () => undefined;
  #isOpen = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Lets in who waits, and whoever comes from now on. */
  open(): void {
    this.#isOpen = true;
    this.#settle(true);
  }

  /** There will be nothing to serve: who waits is sent away. Nothing, once it is open. */
  giveUp(): void {
    this.#settle(false);
  }

  /** Rejects with `RequestProblem` 503 when it takes longer than anybody should wait. */
  async wait(): Promise<void> {
    if (await inTime(this.#settled, limits.restOpeningMs, this.#clock, false)) return;
    throw new RequestProblem(503, 'not ready yet, try again', { headers: { 'retry-after': '1' } });
  }
}
