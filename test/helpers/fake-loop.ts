/** An event loop in a world of its own: a peer that answers everything, and a time that passes only when a test lets it. */
import type { EventLoop, LoopCounts } from '../../src/lib/ops/event-loop.ts';

/** What a turn costs that finds nothing to do. */
const TURN_MS = 0.01;

export interface Peer {
  /** Until it answers. */
  readonly answerMs: number;
  /** Until the loop has dealt with the answer, and asked anew. */
  readonly workMs?: number;
  /** What waking the loop takes. */
  readonly wakingMs?: number;
  /** By how much the peer is slower where the loop takes the processor from it. */
  readonly hinderedMs?: number;
}

export class FakeLoop implements EventLoop {
  #peer: Peer | undefined;
  #now = 0;
  #events = 0;
  #turns = 0;
  #asleepMs = 0;
  #answerAt = Number.POSITIVE_INFINITY;
  #next: (() => void)[] = [];
  #onceWoken: (() => void)[] = [];

  set peer(peer: Peer | undefined) {
    this.#peer = peer;
    this.#answerAt = peer === undefined ? Number.POSITIVE_INFINITY : this.#now + peer.answerMs;
  }

  counts(): LoopCounts {
    return { events: this.#events, turns: this.#turns, asleepMs: this.#asleepMs };
  }

  events(): number {
    return this.#events;
  }

  monotonicMs(): number {
    return this.#now;
  }

  nextTurn(callback: () => void): void {
    this.#next.push(callback);
  }

  onceWoken(callback: () => void): void {
    this.#onceWoken.push(callback);
  }

  /** Whether it would begin a turn although nothing has happened. */
  get isKeptAwake(): boolean {
    return this.#next.length > 0;
  }

  /** Turns for about so long; answers how many messages the peer has answered. */
  run(ms: number): number {
    const before = this.#events;
    const end = this.#now + ms;
    while (this.#now < end) this.#turn(end);
    return this.#events - before;
  }

  #turn(end: number): void {
    this.#turns += 1;
    if (this.isKeptAwake) {
      this.#now += TURN_MS;
      this.#asked(this.#peer?.hinderedMs);
    } else {
      this.#sleep(Math.max(this.#now, Math.min(this.#answerAt, end)));
      this.#asked(0);
    }
    for (const callback of [...this.#next.splice(0), ...this.#onceWoken.splice(0)]) callback();
  }

  #sleep(until: number): void {
    const isNap = until > this.#now;
    this.#asleepMs += until - this.#now;
    this.#now = until + (isNap ? (this.#peer?.wakingMs ?? 0) : 0);
  }

  #asked(hinderedMs = 0): void {
    if (this.#peer === undefined || this.#now < this.#answerAt) return;
    this.#events += 1;
    this.#now += this.#peer.workMs ?? 0;
    this.#answerAt = this.#now + this.#peer.answerMs + hinderedMs;
  }
}
