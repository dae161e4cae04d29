/**
 * The places for attempts. They are shared twice: among senders, so that one that floods leaves room for all others; and among what each of them
 * has for each domain, so that a far end that is silent, or slow, leaves its sender room for everywhere else.
 *
 * What waits in the store can wait for its fair part of a busy router. A client that waits for an answer would be sent away, so what conversations
 * have for one domain counts apart, and is only kept from all places, however many domains there are. Their clients share that: one that floods a
 * domain leaves room for the others that write there.
 */
import type { Refusal } from '../core/admission.ts';
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
  /** Who waits for the answer of the far end (`peerKey`), if anybody does. */
  readonly client?: string | undefined;
}

export function partyOf(share: string, domain: string | undefined, client?: string): Party {
  return { share, lane: domain === undefined ? undefined : laneOf(share, domain), client };
}

/** What conversations have for each domain. */
class Talks {
  readonly #limit: number;
  /** Those of which there are any, each shared among its clients. */
  readonly #lanes = new Map<string, FairShares>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  isOpenTo(lane: string, client: string): boolean {
    return this.#lanes.get(lane)?.isOpenTo(client) ?? true;
  }

  take(lane: string, client: string): void {
    let shares = this.#lanes.get(lane);
    if (shares === undefined) {
      shares = new FairShares(this.#limit);
      this.#lanes.set(lane, shares);
    }
    shares.take(client);
  }

  leave(lane: string, client: string): void {
    const shares = this.#lanes.get(lane);
    shares?.leave(client);
    if (shares?.used === 0) this.#lanes.delete(lane);
  }
}

/** What may start of what is due: so many at once, and none of those that are passed over. */
export interface Backlog {
  readonly atOnce: number;
  readonly passedOver: PassedOver;
}

export class Places {
  readonly #shares: FairShares;
  readonly #lanes: FairShares;
  readonly #talks: Talks;

  constructor(limit: number) {
    this.#shares = new FairShares(limit);
    this.#lanes = new FairShares(limit, LANE_RESERVE_PART);
    this.#talks = new Talks(limit - reserveOf(limit, LANE_RESERVE_PART));
  }

  /** Whether there is one more for it. */
  isOpenTo({ share, lane, client }: Party): boolean {
    if (!this.#shares.isOpenTo(share)) return false;
    if (lane === undefined) return true;
    return client === undefined ? this.#lanes.isOpenTo(lane) : this.#talks.isOpenTo(lane, client);
  }

  /** Why there is none for it, when there is none. */
  whyClosed({ share }: Party): Refusal {
    if (this.#shares.used >= this.#shares.limit) return 'places';
    return this.#shares.isOpenTo(share) ? 'domain' : 'share';
  }

  /** Takes a place, whether or not there is one. */
  take({ share, lane, client }: Party): void {
    this.#shares.take(share);
    if (lane === undefined) return;
    if (client === undefined) this.#lanes.take(lane);
    else this.#talks.take(lane, client);
  }

  /** Gives back what was taken for the same. */
  leave({ share, lane, client }: Party): void {
    this.#shares.leave(share);
    if (lane === undefined) return;
    if (client === undefined) this.#lanes.leave(lane);
    else this.#talks.leave(lane, client);
  }

  get backlog(): Backlog {
    const shares = this.#shares.closed.slice(0, PASSED_OVER_MAX);
    const lanes = this.#lanes.closed.slice(0, PASSED_OVER_MAX);
    const atOnce = Math.min(this.#shares.atOnce, this.#lanes.atOnce);
    return { atOnce, passedOver: { shares, lanes } };
  }
}
