/**
 * Keeps the event loop from falling asleep for the time in which an answer is on its way. To be woken takes a processor longer than the nap, when all
 * there is to do is one conversation: peer and loop wait for each other in turns. So after something happened, the loop looks again and again for a
 * short while before it sleeps.
 *
 * That is of use to few loads, and others would pay for it: peers on the same machine want the processor that looks around. So it is done only where
 * naps are short and many, only as long as more gets done than before, and this is compared anew now and then. A process that has little to do, or
 * no time to sleep, is left alone.
 *
 *     asleep ──(many short naps)──▶ trying ──(more gets done)──▶ awake
 *        ▲                            │                            │
 *        └────(no gain: wait longer)──┴──(other load; compare)─────┘
 */
import type { Clock } from '../core/deps.ts';
import { type EventLoop, type LoopCounts, systemLoop } from './event-loop.ts';
import { Vigil } from './vigil.ts';

const LOOK_MS = 250;

/** A load that may gain: at least so many naps a second, not longer than this on average, which are this share of the time. */
const NAPS_PER_MS_MIN = 1;
const NAP_MS_MAX = 0.15;
const NAPPING_SHARE_MIN = 0.15;

/** How much more has to get done, for as long as nothing but a trial says so. */
const GAIN_MIN = 1.1;

/** Looks until the next trial, after one without a gain; looks until the next comparison, after a gain. Both double each time. */
const PATIENCE_MAX = 256;
const TRUST_MIN = 16;
const TRUST_MAX = 128;

export interface ShortNapsOptions {
  readonly clock: Clock;
  readonly loop?: EventLoop;
}

export class ShortNaps {
  readonly #clock: Clock;
  readonly #loop: EventLoop;
  #vigil: Vigil | undefined;
  #phase: 'asleep' | 'trying' | 'awake' = 'asleep';
  /** What there is to compare with: events a millisecond of the newest look at a loop that slept as it liked. */
  #asleepRate = 0;
  #looksLeft = 0;
  #patience = 1;
  #trust = TRUST_MIN;
  #counts: LoopCounts;
  #lookedAt: number;

  constructor({ clock, loop = systemLoop }: ShortNapsOptions) {
    this.#clock = clock;
    this.#loop = loop;
    this.#counts = loop.counts();
    this.#lookedAt = loop.monotonicMs();
  }

  /** Whether the loop is kept awake at present. */
  get isAwake(): boolean {
    return this.#phase !== 'asleep';
  }

  /** Looks until `stop` aborts. */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await this.#clock.sleep(LOOK_MS, stop);
      if (!stop.aborted) this.look();
    }
    this.#fallAsleep(0);
  }

  /** One look at what happened since the one before. */
  look(): void {
    const before = this.#counts;
    const elapsedMs = this.#loop.monotonicMs() - this.#lookedAt;
    this.#lookedAt += elapsedMs;
    this.#counts = this.#loop.counts();
    if (elapsedMs <= 0) return;
    const rate = (this.#counts.events - before.events) / elapsedMs;
    if (this.#looksLeft > 0) this.#looksLeft -= 1;
    if (this.#phase === 'asleep') this.#lookAsleep(rate, mayGain(before, this.#counts, elapsedMs));
    else if (this.#phase === 'trying') this.#lookTrying(rate, elapsedMs);
    else this.#lookAwake(elapsedMs);
    this.#vigil?.forget();
  }

  #lookAsleep(rate: number, mayGain: boolean): void {
    this.#asleepRate = rate;
    if (!mayGain || this.#looksLeft > 0) return;
    this.#phase = 'trying';
    this.#vigil = new Vigil(this.#loop);
  }

  #lookTrying(rate: number, elapsedMs: number): void {
    if (this.#vigil?.isOfUse(elapsedMs) && rate >= GAIN_MIN * this.#asleepRate) {
      this.#phase = 'awake';
      this.#looksLeft = this.#trust;
      this.#trust = Math.min(2 * this.#trust, TRUST_MAX);
      this.#patience = 1;
    } else {
      this.#fallAsleep(this.#patience);
      this.#patience = Math.min(2 * this.#patience, PATIENCE_MAX);
      this.#trust = TRUST_MIN;
    }
  }

  #lookAwake(elapsedMs: number): void {
    if (this.#looksLeft > 0 && this.#vigil?.isOfUse(elapsedMs)) return;
    this.#fallAsleep(1);
  }

  /** For so many looks at least. */
  #fallAsleep(looks: number): void {
    this.#vigil?.end();
    this.#vigil = undefined;
    this.#phase = 'asleep';
    this.#looksLeft = looks;
  }
}

function mayGain(before: LoopCounts, after: LoopCounts, elapsedMs: number): boolean {
  const naps = after.turns - before.turns;
  const asleepMs = after.asleepMs - before.asleepMs;
  const isNapping = naps >= NAPS_PER_MS_MIN * elapsedMs && asleepMs <= NAP_MS_MAX * naps;
  return isNapping && asleepMs >= NAPPING_SHARE_MIN * elapsedMs;
}
