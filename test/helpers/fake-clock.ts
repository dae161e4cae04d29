/** A clock that stands still until a test moves it, and runs due sleepers in order when it does. */
import type { Clock } from '../../src/lib/core/deps.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export class FakeClock implements Clock {
  #now: number;
  /** By how much somebody has set the wall clock. */
  #setMs = 0;
  #sleepers: Sleeper[] = [];

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

  /** Moves time forward, waking sleepers one after the other at their own instants; each may go on and sleep again before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = this.#sleepers.filter((s) => s.at <= end).sort((a, b) => a.at - b.at)[0];
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
    await settle();
  }
}

/** Lets everything that is ready run: promises, immediates, and what they start. */
export async function settle(rounds = 10): Promise<void> {
  for (let i = 0; i < rounds; i += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Waits, for as long as real sockets and files take, until something is true; throws after very many turns. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 20_000; turn += 1) {
    if (await holds()) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  throw new Error(`never became true: ${holds.toString()}`);
}

/** Moves the clock second by second, with time for real sockets and files in between, until something is true. */
export async function tickUntil(clock: FakeClock, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let second = 0; second < 3000; second += 1) {
    if (await holds()) return;
    await clock.advance(1000);
    await settle(30);
  }
  throw new Error(`never became true: ${holds.toString()}`);
}
