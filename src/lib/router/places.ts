/**
 * The places for attempts. They are shared twice: among senders, so that one that floods leaves room for all others; and among what each of them
 * has for each domain, so that a far end that is silent, or slow, leaves its sender room for everywhere else.
 */
import { FairShares, laneOf } from '../core/fair-shares.ts';
import type { PassedOver } from '../store/passed-over.ts';

/** Of so many places a sender's mail to one domain gets all but one, while others may want them. */
const LANE_RESERVE_PART = 3;
/** In a question to the store; of more than that, those with the most places. */
const PASSED_OVER_MAX = 100;

/** What may start of what is due: so many at once, and none of those that are passed over. */
export interface Backlog {
  readonly atOnce: number;
  readonly passedOver: PassedOver;
}

export class Places {
  readonly #shares: FairShares;
  readonly #lanes: FairShares;

  constructor(limit: number) {
    this.#shares = new FairShares(limit);
    this.#lanes = new FairShares(limit, LANE_RESERVE_PART);
  }

  /** Whether this sender gets one more place; `domain`: for mail to this domain, where that is known. */
  isOpenTo(share: string, domain?: string): boolean {
    return this.#shares.isOpenTo(share) && (domain === undefined || this.#lanes.isOpenTo(laneOf(share, domain)));
  }

  /** Takes a place, whether or not there is one. */
  take(share: string, domain: string | undefined): void {
    this.#shares.take(share);
    if (domain !== undefined) this.#lanes.take(laneOf(share, domain));
  }

  /** Gives back what was taken for the same. */
  leave(share: string, domain: string | undefined): void {
    this.#shares.leave(share);
    if (domain !== undefined) this.#lanes.leave(laneOf(share, domain));
  }

  get backlog(): Backlog {
    const shares = this.#shares.closed.slice(0, PASSED_OVER_MAX);
    const lanes = this.#lanes.closed.slice(0, PASSED_OVER_MAX);
    const atOnce = Math.min(this.#shares.atOnce, this.#lanes.atOnce);
    return { atOnce, passedOver: { shares, lanes } };
  }
}
