/**
 * The places for attempts. They are shared twice: among senders, so that one that floods leaves room for all others; and among what each of them
 * has for each domain, so that a far end that is silent, or slow, leaves its sender room for everywhere else.
 *
 * What waits in the store can wait for its fair part of a busy router. A client that waits for an answer would be sent away, so what conversations
 * have for one domain counts apart, and is only kept from all places, however many domains there are.
 */
import { FairShares, laneOf, reserveOf } from '../core/fair-shares.ts';
import type { PassedOver } from '../store/passed-over.ts';

/** Of so many places a sender's mail to one domain gets all but one, while others may want them. */
const LANE_RESERVE_PART = 3;
/** In a question to the store; of more than that, those with the most places. */
const PASSED_OVER_MAX = 100;

/** Whom a place counts for. */
export interface Party {
  readonly share: string;
  /** What its sender has for one domain (`laneOf`), where the domain is known. */
  readonly lane?: string | undefined;
  /** Whoever asks for it waits for the answer of the far end. */
  readonly isWaitedFor?: boolean;
}

export function partyOf(share: string, domain: string | undefined, isWaitedFor = false): Party {
  return { share, lane: domain === undefined ? undefined : laneOf(share, domain), isWaitedFor };
}

/** What may start of what is due: so many at once, and none of those that are passed over. */
export interface Backlog {
  readonly atOnce: number;
  readonly passedOver: PassedOver;
}

export class Places {
  readonly #shares: FairShares;
  readonly #lanes: FairShares;
  readonly #waitedFor: FairShares;

  constructor(limit: number) {
    this.#shares = new FairShares(limit);
    this.#lanes = new FairShares(limit, LANE_RESERVE_PART);
    this.#waitedFor = new FairShares(limit - reserveOf(limit, LANE_RESERVE_PART));
  }

  /** Whether there is one more for it. */
  isOpenTo({ share, lane, isWaitedFor }: Party): boolean {
    if (!this.#shares.isOpenTo(share)) return false;
    if (lane === undefined) return true;
    return isWaitedFor ? this.#waitedFor.of(lane) < this.#waitedFor.limit : this.#lanes.isOpenTo(lane);
  }

  /** Takes a place, whether or not there is one. */
  take({ share, lane, isWaitedFor }: Party): void {
    this.#shares.take(share);
    if (lane !== undefined) (isWaitedFor ? this.#waitedFor : this.#lanes).take(lane);
  }

  /** Gives back what was taken for the same. */
  leave({ share, lane, isWaitedFor }: Party): void {
    this.#shares.leave(share);
    if (lane !== undefined) (isWaitedFor ? this.#waitedFor : this.#lanes).leave(lane);
  }

  get backlog(): Backlog {
    const shares = this.#shares.closed.slice(0, PASSED_OVER_MAX);
    const lanes = this.#lanes.closed.slice(0, PASSED_OVER_MAX);
    const atOnce = Math.min(this.#shares.atOnce, this.#lanes.atOnce);
    return { atOnce, passedOver: { shares, lanes } };
  }
}
