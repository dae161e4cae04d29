/**
 * The session of this router: the sign of life by which the others know that what it has in work is taken care of, and by which it knows so
 * itself. A router that was away for longer than its session lives (a suspended machine, a database out of reach) may have been taken over;
 * a message it still has in hand is then somebody else's.
 *
 * The others wait a whole `session_ttl` since they saw the newest sign; this router trusts its leases for three quarters of it since it sent
 * that sign. The quarter between is for clocks that run at different speeds and for what lies between a question and the deed.
 */
import type { RouterConfig } from '../config/router-config.ts';
import type { Deps } from '../core/deps.ts';
import type { Store } from '../store/store.ts';
import { SessionWatch } from './session-watch.ts';

export interface SessionOptions {
  readonly config: Pick<RouterConfig, 'restListener' | 'storage'>;
  readonly deps: Pick<Deps, 'clock' | 'log'>;
  readonly store: Pick<Store, 'sessionId' | 'openSession' | 'refreshSession' | 'sessions' | 'expireSessions'>;
  /** Hears that transactions of a dead router are free. */
  readonly onReleased: () => void;
  /** Hears that this router was taken for dead: its leases are gone. */
  readonly onLost: () => void;
}

/** After a failed sign of life the next one comes sooner. */
const RETRY_MS = 1000;
const TRUSTED_SHARE = 0.75;

/** A moment by both clocks: one may be set, the other may stand still while the machine is suspended. */
interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #watch: SessionWatch;
  /** When the newest sign of life was sent that has arrived. */
  #signedAt: Moment | undefined;
  #asking: Promise<boolean> | undefined;
  /** This router was taken for dead, and has no other session yet. */
  #isLost = false;
  #isAddressTaken = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#watch = new SessionWatch(2 * options.config.storage.sessionRefreshIntervalMs);
  }

  async open(): Promise<void> {
    const { config, deps, store } = this.#options;
    const { sessionTtlMs: ttlMs } = config.storage;
    const at = this.#now();
    await store.openSession(config.restListener.sessionUri, deps.clock.now(), { ttlMs });
    this.#signedAt = at;
  }

  /** Whether a sign of life has arrived recently enough that leases are trusted without a question; what readiness is about. */
  get isTrusted(): boolean {
    return this.#ageMs() < this.#options.config.storage.sessionTtlMs * TRUSTED_SHARE;
  }

  /** Whether what is leased to this router is certainly still its own. Asks the store when the last sign of life is too old to say. */
  isCertain(): boolean | Promise<boolean> {
    return this.isTrusted || this.#isAliveForSure();
  }

  async #isAliveForSure(): Promise<boolean> {
    try {
      return await this.#isAlive();
    } catch (error) {
      this.#options.deps.log.warn({ error }, 'storage is away: not sure that this router is still in charge');
      return false;
    }
  }

  /** Whether the owner of a lease may be dead, though that is not sure yet. */
  isSuspect(sessionId: string): boolean {
    return this.#watch.isSuspect(sessionId);
  }

  /** The address of another router by its session; `undefined` when it is this one's, or over. */
  async addressOf(sessionId: string): Promise<string | undefined> {
    const { store } = this.#options;
    if (sessionId === store.sessionId) return undefined;
    return (await store.sessions()).find(({ id }) => id === sessionId)?.uri;
  }

  /** Gives signs of life, and notices when others give none, until `stop` aborts. */
  async keepAlive(stop: AbortSignal): Promise<void> {
    const { config, deps } = this.#options;
    const everyMs = config.storage.sessionRefreshIntervalMs;
    for (let pauseMs = everyMs; ; ) {
      await deps.clock.sleep(pauseMs, stop);
      if (stop.aborted) return;
      try {
        await this.#isAlive();
        await this.#lookAround();
        pauseMs = everyMs;
      } catch (error) {
        deps.log.error({ error }, 'session refresh failed, trying again');
        pauseMs = Math.min(RETRY_MS, everyMs);
      }
    }
  }

  /** Ends the sessions of routers that have been silent for too long. */
  async #lookAround(): Promise<void> {
    const { deps, store, onReleased } = this.#options;
    const others = (await store.sessions()).filter(({ id }) => id !== store.sessionId);
    const silent = this.#watch.observe(others, deps.clock.monotonicMs());
    if (silent.length === 0) return;
    const released = await store.expireSessions(silent);
    if (released > 0) {
      // The crash test knows this line by its fields (test/crash/takeovers.mjs).
      const takeover = { took_over_from: silent.map(({ uri }) => uri), released };
      deps.log.warn(takeover, 'took over the transactions of a dead replica');
      onReleased();
      return;
    }
    // Who has given another sign of life in this moment is passed over, and not dead.
    const left = new Set((await store.sessions()).map(({ id }) => id));
    const uris = silent.filter(({ id }) => !left.has(id)).map(({ uri }) => uri);
    if (uris.length > 0) deps.log.info({ uris }, 'a replica is dead, and nothing of it was left to take over');
  }

  /** Gives a sign of life; opens another session when this one was declared dead. Who asks at the same time gets the same answer. */
  #isAlive(): Promise<boolean> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<boolean> {
    const { deps, store } = this.#options;
    const at = this.#now();
    if (await store.refreshSession(deps.clock.now())) {
      this.#signedAt = at;
      return true;
    }
    await this.#reopen();
    return false;
  }

  /** Two processes that were given one address would end each other's sessions for ever: the one that came later keeps it. */
  async #reopen(): Promise<void> {
    const { config, deps, store, onLost } = this.#options;
    const uri = config.restListener.sessionUri;
    if (!this.#isLost) {
      deps.log.error(
        {},
        'this session was declared dead by another replica: opening a new one; what was in work is taken over',
      );
      this.#isLost = true;
      this.#signedAt = undefined;
      onLost();
    }
    const at = this.#now();
    const terms = { ttlMs: config.storage.sessionTtlMs, yields: true };
    if (await store.openSession(uri, deps.clock.now(), terms)) {
      this.#signedAt = at;
      this.#isLost = false;
      this.#isAddressTaken = false;
      return;
    }
    if (!this.#isAddressTaken) {
      deps.log.error({ uri }, 'another process uses the session_uri of this router: give each its own; waiting');
    }
    this.#isAddressTaken = true;
  }

  #now(): Moment {
    const { clock } = this.#options.deps;
    return { wallMs: clock.now(), monotonicMs: clock.monotonicMs() };
  }

  /** How old the newest sign of life is by the clock that says more; a wall clock that was set back says nothing. */
  #ageMs(): number {
    if (this.#signedAt === undefined) return Number.POSITIVE_INFINITY;
    const { wallMs, monotonicMs } = this.#now();
    return Math.max(wallMs - this.#signedAt.wallMs, monotonicMs - this.#signedAt.monotonicMs);
  }
}
