/**
 * A fixed number of places, shared fairly: whoever floods gets most of them while nobody else asks, and never the last ones, so that the next
 * who comes finds room at once. Nobody waits in a line here; a place that becomes free goes first to those who have less than their share.
 */

export interface SharesAsk {
  /** Places there are, and those that are taken. */
  readonly limit: number;
  readonly used: number;
  /** Places the asker has. */
  readonly own: number;
  /** How many have places, with the asker. */
  readonly parties: number;
  /** One place in so many is kept for those who have less than their share. */
  readonly keptPart?: number | undefined;
}

interface Principal {
  readonly name: string;
  readonly tag?: string | undefined;
}

/** Senders are as many as the configuration has, and each message asks several times: a string that is known is found at once in a map, too. */
const shares = new WeakMap<Principal, string>();

/** Whom a place of a sender counts for: a tag is a party of its own, because one kind of mail must not keep another waiting. */
export function shareOf(sender: Principal): string {
  const { name, tag } = sender;
  if (tag === undefined) return name;
  let share = shares.get(sender);
  if (share === undefined) {
    share = `${name} ${tag}`;
    shares.set(sender, share);
  }
  return share;
}

/** What one of them has for one domain. */
export function laneOf(share: string, domain: string): string {
  return `${share} ${domain}`;
}

const KEPT_PART = 10;
/** Of fewer places there are none to spare. */
const KEPT_FROM = 10;

/** Places that nobody gets who has his share already. */
export function reserveOf(limit: number, keptPart = KEPT_PART): number {
  return limit < KEPT_FROM ? 0 : Math.floor(limit / keptPart);
}

/**
 * Whether the asker gets one more place. The share is what everybody would have if one more came; below it any free place will do, above it
 * only one that is not kept for others.
 */
export function mayTake({ limit, used, own, parties, keptPart }: SharesAsk): boolean {
  const free = limit - used;
  if (free <= 0) return false;
  return own < fairPart(limit, parties) || free > reserveOf(limit, keptPart);
}

function fairPart(limit: number, parties: number): number {
  return Math.floor(limit / (parties + 1));
}

export class FairShares {
  readonly limit: number;
  readonly #keptPart: number | undefined;
  readonly #own = new Map<string, number>();
  #used = 0;

  constructor(limit: number, keptPart?: number) {
    this.limit = limit;
    this.#keptPart = keptPart;
  }

  get used(): number {
    return this.#used;
  }

  /** Places that this one has. */
  of(key: string): number {
    return this.#own.get(key) ?? 0;
  }

  /** How many may be given out before somebody has to be asked again who they are for: nobody gets more than he would one by one. */
  get atOnce(): number {
    const free = this.limit - this.#used;
    const kept = reserveOf(this.limit, this.#keptPart);
    return Math.max(0, free > kept ? free - kept : Math.min(free, fairPart(this.limit, this.#own.size + 1)));
  }

  /** Those who get no more for now, those with the most places first. */
  get closed(): readonly string[] {
    // As long as more are free than are kept, everybody gets more.
    if (this.limit - this.#used > reserveOf(this.limit, this.#keptPart)) return [];
    const closed = [...this.#own].filter(([key]) => !this.isOpenTo(key));
    return closed.sort(([, a], [, b]) => b - a).map(([key]) => key);
  }

  isOpenTo(key: string): boolean {
    const own = this.#own.get(key);
    const parties = this.#own.size + (own === undefined ? 1 : 0);
    return mayTake({ limit: this.limit, used: this.#used, own: own ?? 0, parties, keptPart: this.#keptPart });
  }

  /** Takes a place whether or not there is one: for what is our duty already. */
  take(key: string): void {
    this.#used += 1;
    this.#own.set(key, (this.#own.get(key) ?? 0) + 1);
  }

  /** Gives one place back; once for each that was taken. */
  leave(key: string): void {
    const own = this.#own.get(key) ?? 0;
    if (own === 0) return;
    this.#used -= 1;
    if (own === 1) this.#own.delete(key);
    else this.#own.set(key, own - 1);
  }
}
