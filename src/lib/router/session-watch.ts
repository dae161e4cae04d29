/**
 * Watches the signs of life of the other routers. No clocks are compared: a sign is a number that changes, and what counts is for how long,
 * by this router's own clock and while it was looking, it has not changed. Time in which nobody looked, because this router or the database
 * was away, counts for nothing: the others could not be seen, or could not give a sign.
 */
import type { SessionSign } from '../store/store.ts';

interface Seen {
  readonly sign: number;
  readonly ttlMs: number;
  readonly silentMs: number;
}

export class SessionWatch {
  /** A longer pause between two looks is an absence. */
  readonly #gapMs: number;
  readonly #seen = new Map<string, Seen>();
  #lookedAtMs: number | undefined;

  constructor(gapMs: number) {
    this.#gapMs = gapMs;
  }

  /** Takes a look at `nowMs` of a monotonic clock; answers those that were silent for as long as their own terms allow. */
  observe(signs: readonly SessionSign[], nowMs: number): readonly SessionSign[] {
    const stepMs = nowMs - (this.#lookedAtMs ?? nowMs);
    const countedMs = stepMs > this.#gapMs ? 0 : stepMs;
    this.#lookedAtMs = nowMs;
    const before = new Map(this.#seen);
    this.#seen.clear();
    for (const { id, sign, ttlMs } of signs) {
      const last = before.get(id);
      const silentMs = last === undefined || last.sign !== sign ? 0 : last.silentMs + countedMs;
      this.#seen.set(id, { sign, ttlMs, silentMs });
    }
    return signs.filter(({ id, ttlMs }) => (this.#seen.get(id)?.silentMs ?? 0) >= ttlMs);
  }

  /** Half of its time is over without a sign: it may be dead, though that is not sure yet. Nobody should be sent there. */
  isSuspect(id: string): boolean {
    const seen = this.#seen.get(id);
    return seen !== undefined && seen.silentMs >= seen.ttlMs / 2;
  }
}
