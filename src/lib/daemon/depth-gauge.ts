/** How deep the queue is, asked of the store no more often than it can bear: counting a large queue must not slow it down. */
import type { Clock } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { Sample } from '../ops/metrics.ts';
import type { QueueDepth } from '../store/list.ts';
import type { Store } from '../store/store.ts';

/** An answer is used for this many times as long as it took to find. */
const REST_FACTOR = 100;

export class DepthGauge {
  readonly #store: Pick<Store, 'queueDepth'>;
  readonly #clock: Clock;
  #known: Promise<QueueDepth | undefined> = Promise.resolve(undefined);
  #goodUntilMs = Number.NEGATIVE_INFINITY;

  constructor(store: Pick<Store, 'queueDepth'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** No samples while the store cannot be read. */
  async byState(): Promise<readonly Sample[]> {
    const depth = await this.#depth();
    if (depth === undefined) return [];
    const { active, deferred, incomplete, uncertain } = depth;
    return Object.entries({ active, deferred, incomplete, uncertain }).map(([state, value]) => ({
      labels: { state },
      value,
    }));
  }

  async oldestDue(): Promise<readonly Sample[]> {
    const depth = await this.#depth();
    if (depth === undefined) return [];
    const { nextDueAt } = depth;
    return [{ value: nextDueAt === undefined ? 0 : Math.max(0, this.#clock.now() - nextDueAt) / 1000 }];
  }

  #depth(): Promise<QueueDepth | undefined> {
    if (this.#clock.monotonicMs() >= this.#goodUntilMs) {
      this.#goodUntilMs = Number.POSITIVE_INFINITY;
      this.#known = this.#ask();
    }
    return this.#known;
  }

  async #ask(): Promise<QueueDepth | undefined> {
    const startedAt = this.#clock.monotonicMs();
    // A store that is away is no reason to show nothing of everything else.
    const depth = await this.#store.queueDepth().catch(() => undefined);
    const tookMs = this.#clock.monotonicMs() - startedAt;
    this.#goodUntilMs = startedAt + Math.max(limits.queueDepthMs, REST_FACTOR * tookMs);
    return depth;
  }
}
