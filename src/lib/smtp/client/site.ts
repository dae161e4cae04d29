/** The connections to one destination under one profile: which are idle, how many there are, and who waits for one. */
import type { SmtpConnection } from './connection.ts';

interface Idle {
  readonly connection: SmtpConnection;
  /** When it has idled for long enough. */
  readonly untilMs: number;
}

/** What a waiter is given: a connection that somebody else has finished with, or the right to open one. */
export type Grant = SmtpConnection | 'slot';

export class Site {
  readonly #maxConnections: number;
  /** Oldest first. The one used last is used next, so that those that are not needed grow old. */
  readonly #idle: Idle[] = [];
  readonly #waiters: ((grant: Grant) => void)[] = [];
  #slots = 0;

  constructor(maxConnections: number) {
    this.#maxConnections = maxConnections;
  }

  get idle(): number {
    return this.#idle.length;
  }

  /** No connection is open, being opened or being closed. */
  get isUnused(): boolean {
    return this.#slots === 0;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  get oldestExpiryMs(): number | undefined {
    return this.#idle[0]?.untilMs;
  }

  takeIdle(): SmtpConnection | undefined {
    return this.#idle.pop()?.connection;
  }

  /** The one used last, when it can be used as it is. */
  takeClean(): SmtpConnection | undefined {
    return this.#idle.at(-1)?.connection.isClean === true ? this.takeIdle() : undefined;
  }

  takeOldest(): SmtpConnection | undefined {
    return this.#idle.shift()?.connection;
  }

  /** Hands the connection to who waits longest, or keeps it. */
  addIdle(connection: SmtpConnection, untilMs: number): void {
    const next = this.#waiters.shift();
    if (next !== undefined) next(connection);
    else this.#idle.push({ connection, untilMs });
  }

  removeIdle(connection: SmtpConnection): void {
    const index = this.#idle.findIndex((idle) => idle.connection === connection);
    if (index !== -1) this.#idle.splice(index, 1);
  }

  takeSlot(): boolean {
    if (this.#slots >= this.#maxConnections) return false;
    this.#slots += 1;
    return true;
  }

  /** Hands the slot to who waits longest, or frees it. */
  freeSlot(): void {
    const next = this.#waiters.shift();
    if (next !== undefined) next('slot');
    else this.#slots -= 1;
  }

  /** Waits for a turn: first come, first served. `undefined` when `signal` aborts first. */
  turn(signal: AbortSignal): Promise<Grant | undefined> {
    if (signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const take = (grant: Grant): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(grant);
      };
      const onAbort = (): void => {
        const index = this.#waiters.indexOf(take);
        if (index !== -1) this.#waiters.splice(index, 1);
        resolve(undefined);
      };
      this.#waiters.push(take);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}
