/**
 * The waits of a process that nearly all end before their time: a message has half a dozen of them, each for the case that somebody does not
 * answer. They share one timer of the platform, which looks now and then whose time is over; to begin or to end a wait is to add to a list or
 * to take from it. Such a wait may end late, by two looks at most, and never early.
 */

const LOOK_MS = 100;
/** A wait is in the list of the look that ends it, modulo this many: a long one is passed over a few times. */
const LISTS = 512;

/** A member of a ring, whose head is a wait that is none. */
class Wait {
  /** The look that ends it. */
  readonly look: number;
  readonly callback: () => void;
  before: Wait = this;
  after: Wait = this;

  constructor(look: number, callback: () => void) {
    this.look = look;
    this.callback = callback;
  }

  get isAlone(): boolean {
    return this.after === this;
  }

  join(head: Wait): void {
    this.before = head.before;
    this.after = head;
    head.before.after = this;
    head.before = this;
  }

  leave(): void {
    this.before.after = this.after;
    this.after.before = this.before;
    this.before = this;
    this.after = this;
  }
}

/** A timer that runs. */
export interface Ticker {
  stop(): void;
  /** Whether the process lives on for it; at first, it does. */
  keepAlive(isNeeded: boolean): void;
}

/** What the platform gives. */
export interface Ticking {
  monotonicMs(): number;
  /** Calls back again and again. */
  every(ms: number, callback: () => void): Ticker;
}

export class TimerWheel {
  readonly #platform: Ticking;
  readonly #lists = Array.from({ length: LISTS }, () => new Wait(0, () => undefined));
  #waiting = 0;
  /** Runs while anybody waits, and until the next look; a process that has nothing else to do does not live on for that. */
  #ticker: Ticker | undefined;
  /** The number of the newest look. */
  #look = 0;

  constructor(platform: Ticking) {
    this.#platform = platform;
  }

  /** Calls back once, `ms` from now or a little later; the returned function takes that back. */
  after(ms: number, callback: () => void): () => void {
    const look = Math.ceil((this.#platform.monotonicMs() + ms) / LOOK_MS);
    const wait = new Wait(Math.min(look, Number.MAX_SAFE_INTEGER), callback);
    this.#start();
    wait.join(this.#listOf(wait.look));
    this.#waiting += 1;
    if (this.#waiting === 1) this.#ticker?.keepAlive(true);
    return () => this.#end(wait);
  }

  #start(): void {
    if (this.#ticker !== undefined) return;
    this.#look = this.#now;
    this.#ticker = this.#platform.every(LOOK_MS, () => this.#lookAround());
  }

  /** Every list that is due, each of them once, however long nobody could look. */
  #lookAround(): void {
    const now = this.#now;
    const over: Wait[] = [];
    for (let look = Math.max(this.#look + 1, now - LISTS + 1); look <= now; look += 1) {
      const head = this.#listOf(look);
      for (let wait = head.after; wait !== head; wait = wait.after) if (wait.look <= now) over.push(wait);
    }
    this.#look = now;
    for (const wait of over) if (this.#end(wait)) wait.callback();
    if (this.#waiting > 0) return;
    this.#ticker?.stop();
    this.#ticker = undefined;
  }

  get #now(): number {
    return Math.floor(this.#platform.monotonicMs() / LOOK_MS);
  }

  /** Answers whether it had not ended before. */
  #end(wait: Wait): boolean {
    if (wait.isAlone) return false;
    wait.leave();
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#ticker?.keepAlive(false);
    return true;
  }

  #listOf(look: number): Wait {
    return this.#lists[look % LISTS] as Wait;
  }
}
