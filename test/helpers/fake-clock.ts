/**
 * A clock that stands still until a test moves it, and runs due sleepers in order when it does. It waits for work that takes real time, as that of
 * a database: otherwise minutes would pass here before a busy machine has answered a question, and sessions end that nobody meant to end.
 */
import type { Clock } from '../../src/lib/core/deps.ts';

/** What seems to pass at most while something is at work. None at all would have every sign of life of a quiet hour waited for. */
const WORK_MAX_MS = 2000;

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export class FakeClock implements Clock {
  #now: number;
  /** By how much somebody has set the wall clock. */
  #setMs = 0;
  #sleepers: Sleeper[] = [];
  /** What time may not go beyond before they are over. */
  readonly #atWork = new Set<{ readonly until: number }>();
  #onceOver: (() => void)[] = [];

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now + this.#setMs;
  }

  monotonicMs(): number {
    return this.#now;
  }

  /** Sets the wall clock forward, or back, without any time passing. */
  set(byMs: number): void {
    this.#setMs += byMs;
  }

  /** How many waits are pending. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Hardly any time passes until this is over. */
  standStillFor(work: Promise<unknown>, maxMs = WORK_MAX_MS): void {
    const begun = { until: this.#now + maxMs };
    this.#atWork.add(begun);
    const over = (): void => {
      this.#atWork.delete(begun);
      for (const goOn of this.#onceOver.splice(0)) goOn();
    };
    work.then(over, over);
  }

  /** Lets everything that is ready run, and what is at work end, and what follows from that, without any time passing. */
  async rest(): Promise<void> {
    await settle();
    while (this.#atWork.size > 0) {
      await this.#workOver();
      await settle();
    }
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers = this.#sleepers.filter((s) => s !== sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper = { at: this.#now + ms, wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  after(ms: number, callback: () => void): () => void {
    const forget = (): void => {
      this.#sleepers = this.#sleepers.filter((each) => each !== sleeper);
    };
    const wake = (): void => {
      forget();
      callback();
    };
    const sleeper = { at: this.#now + ms, wake };
    this.#sleepers.push(sleeper);
    return forget;
  }

  /**
   * Moves time forward, waking sleepers one after the other at their own instants; each may go on and sleep again before the next. What is at work
   * at the end is over when it returns.
   */
  async advance(ms: number): Promise<void> {
    await this.pass(ms);
    await this.rest();
  }

  /** The same, except that what is at work in the end may go on. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = this.#sleepers.filter((s) => s.at <= end).sort((a, b) => a.at - b.at)[0];
      if (this.#isTooSoon(next?.at ?? end)) {
        await this.#workOver();
        continue;
      }
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      next.wake();
    }
    this.#now = end;
    await settle();
  }

  /** Moves time forward in one leap, as for a machine that was asleep: every sleeper that is due wakes once, and finds it this late. */
  async leap(ms: number): Promise<void> {
    this.#now += ms;
    for (const sleeper of this.#sleepers.filter(({ at }) => at <= this.#now)) sleeper.wake();
    await this.rest();
  }

  #isTooSoon(at: number): boolean {
    return [...this.#atWork].some(({ until }) => at > until);
  }

  #workOver(): Promise<void> {
    return new Promise((goOn) => this.#onceOver.push(goOn));
  }
}

/** Lets everything that is ready run: promises, immediates, and what they start. */
export async function settle(rounds = 10): Promise<void> {
  for (let i = 0; i < rounds; i += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

/**
 * Waits, for as long as real sockets and files take, until something is true; throws after very many turns. The later ones are naps: on a busy
 * machine who turns without end takes the processor from those he waits for, and is through with all his turns before they have had theirs.
 */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 20_000; turn += 1) {
    if (await holds()) return;
    await new Promise<void>((resolve) => (turn < 1000 ? setImmediate(resolve) : setTimeout(resolve, 1)));
  }
  throw new Error(`never became true: ${holds.toString()}`);
}

/**
 * Moves the clock second by second, with time for real sockets and files in between, until something is true, and everybody has heard of it: what
 * is committed can be read before its writer knows.
 */
export async function tickUntil(clock: FakeClock, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let second = 0; second < 3000; second += 1) {
    if (await holds()) return clock.rest();
    await clock.pass(1000);
    await settle(30);
  }
  throw new Error(`never became true: ${holds.toString()}`);
}
