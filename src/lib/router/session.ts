/**
 * The session of this router: the sign of life by which the others know that what it has in work is taken care of, and by which it knows so
 * itself. A router that was away for longer than its session lives (a suspended machine, a database out of reach) may have been taken over;
 * a message it still has in hand is then somebody else's.
 */
import type { RouterConfig } from '../config/router-config.ts';
import type { Deps } from '../core/deps.ts';
import type { Store } from '../store/store.ts';

export interface SessionOptions {
  readonly config: Pick<RouterConfig, 'restListener' | 'storage'>;
  readonly deps: Pick<Deps, 'clock' | 'log'>;
  readonly store: Pick<Store, 'openSession' | 'refreshSession' | 'expireSessions'>;
  /** Hears that transactions of a dead router are free. */
  readonly onReleased: () => void;
  /** Hears that this router was taken for dead: its leases are gone. */
  readonly onLost: () => void;
}

/** After a failed sign of life the next one comes sooner. */
const RETRY_MS = 1000;

export class Session {
  readonly #options: SessionOptions;
  /** When the newest sign of life was sent that has arrived. */
  #seenAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<boolean> | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { config, deps, store } = this.#options;
    const now = deps.clock.now();
    await store.openSession(config.restListener.sessionUri, now);
    this.#seenAt = now;
  }

  /** Whether what is leased to this router is certainly still its own. Asks the store when the last sign of life is too old to say. */
  async isCertain(): Promise<boolean> {
    const { config, deps } = this.#options;
    if (deps.clock.now() - this.#seenAt < config.storage.sessionTtlMs) return true;
    try {
      return await this.#isAlive();
    } catch (error) {
      deps.log.warn({ error }, 'storage is away: not sure that this router is still in charge');
      return false;
    }
  }

  /** Gives signs of life, and notices when others give none, until `stop` aborts. */
  async keepAlive(stop: AbortSignal): Promise<void> {
    const { config, deps } = this.#options;
    const everyMs = config.storage.sessionRefreshIntervalMs;
    for (let pauseMs = everyMs; ; ) {
      await deps.clock.sleep(pauseMs, stop);
      if (stop.aborted) return;
      try {
        await this.#refresh(everyMs);
        pauseMs = everyMs;
      } catch (error) {
        deps.log.error({ error }, 'session refresh failed, trying again');
        pauseMs = Math.min(RETRY_MS, everyMs);
      }
    }
  }

  async #refresh(everyMs: number): Promise<void> {
    const { config, deps, store, onReleased } = this.#options;
    const now = deps.clock.now();
    const awayMs = now - this.#seenAt;
    await this.#isAlive();
    // Who was away has not seen the others' signs of life; when the database was, they could not give any either.
    if (awayMs > 2 * everyMs) return;
    const released = await store.expireSessions(now - config.storage.sessionTtlMs);
    if (released === 0) return;
    deps.log.warn({ released }, 'took over the transactions of a dead replica');
    onReleased();
  }

  /** Gives a sign of life; opens another session when this one was declared dead. Who asks at the same time gets the same answer. */
  #isAlive(): Promise<boolean> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<boolean> {
    const { deps, store, onLost } = this.#options;
    const now = deps.clock.now();
    const isAlive = await store.refreshSession(now);
    if (isAlive) {
      this.#seenAt = now;
      return true;
    }
    deps.log.error(
      {},
      'this session was declared dead by another replica: opening a new one; what was in work is taken over',
    );
    onLost();
    await this.open();
    return false;
  }
}
