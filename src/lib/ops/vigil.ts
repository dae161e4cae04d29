/** An event loop that is kept awake: after something happened, it looks for more for a short while before it sleeps. */
import type { EventLoop } from './event-loop.ts';

/** Somewhat longer than a peer on the same machine takes to answer. */
const AWAKE_MS = 0.15;

/** Of use is what ends in time in most cases, and not at once: a loop that finds something to do in every turn would not sleep anyway. */
const IN_TIME_SHARE_MIN = 0.6;
const WAITING_SHARE_MIN = 0.03;

export class Vigil {
  readonly #loop: EventLoop;
  #events: number;
  /** When something happened last. */
  #happenedAt: number;
  #turnedAt: number;
  #isAsleep = false;
  #hasEnded = false;
  #inTime = 0;
  #inVain = 0;
  #waitedMs = 0;

  constructor(loop: EventLoop) {
    this.#loop = loop;
    this.#events = loop.events();
    this.#happenedAt = loop.monotonicMs();
    this.#turnedAt = this.#happenedAt;
    loop.nextTurn(this.#turn);
  }

  /** Whether most of what it waited for in these milliseconds came in time, and it had to wait for it. */
  isOfUse(elapsedMs: number): boolean {
    const isInTime = this.#inTime >= IN_TIME_SHARE_MIN * (this.#inTime + this.#inVain);
    return isInTime && this.#waitedMs >= WAITING_SHARE_MIN * elapsedMs;
  }

  /** Begins to count anew. */
  forget(): void {
    this.#inTime = 0;
    this.#inVain = 0;
    this.#waitedMs = 0;
  }

  end(): void {
    this.#hasEnded = true;
  }

  readonly #turn = (): void => {
    if (this.#hasEnded) return;
    const now = this.#loop.monotonicMs();
    const events = this.#loop.events();
    if (events !== this.#events) this.#happened(events, now);
    else if (!this.#isAsleep) this.#waited(now);
    this.#turnedAt = now;
    if (this.#isAsleep) this.#loop.onceWoken(this.#turn);
    else this.#loop.nextTurn(this.#turn);
  };

  #happened(events: number, now: number): void {
    if (!this.#isAsleep) this.#inTime += 1;
    this.#isAsleep = false;
    this.#events = events;
    this.#happenedAt = now;
  }

  #waited(now: number): void {
    this.#waitedMs += now - this.#turnedAt;
    if (now - this.#happenedAt < AWAKE_MS) return;
    this.#isAsleep = true;
    this.#inVain += 1;
  }
}
