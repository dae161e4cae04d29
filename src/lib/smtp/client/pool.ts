/**
 * Keeps SMTP connections open and lends them out, one exchange at a time. A connection goes back only when the next transaction can begin on
 * it; how many there are to one destination, how long they idle, and how long anybody waits for one is bounded.
 */
import type { Deps } from '../../core/deps.ts';
import { limits } from '../../core/limits.ts';
import { cancelledReply } from '../../core/precondition.ts';
import { type Response, reply } from '../../core/response.ts';
import { SmtpConnection } from './connection.ts';
import { openConnection } from './open-connection.ts';
import type { Destination } from './profile.ts';
import { Site } from './site.ts';

export interface PoolAsk {
  readonly destination: Destination;
  /** Connections to this destination at most; exchanges beyond that wait. */
  readonly maxConnections: number;
  readonly idleTimeoutMs: number;
  /** Do not take one that has been used: it may be stale. */
  readonly fresh?: boolean;
}

export interface PoolStats {
  readonly connections: number;
  readonly idle: number;
  readonly waiting: number;
  /** Connections opened so far, and how often one that was open was lent out again. */
  readonly opened: number;
  readonly reused: number;
}

/** How often idle connections are looked at, at least. */
const SWEEP_MS = 1000;
const shuttingDown = reply(450, '4.3.2', 'shutting down');
const allBusy = reply(450, '4.4.5', 'all connections to the destination are in use');

export class SmtpPool {
  readonly #deps: Pick<Deps, 'clock' | 'log'>;
  readonly #sites = new Map<string, Site>();
  /** Where each open connection belongs, and how long it may idle. */
  readonly #homes = new Map<SmtpConnection, { readonly site: Site; readonly idleTimeoutMs: number }>();
  readonly #closing = new AbortController();
  /** Of those who wait for a connection, or for one to open. */
  readonly #wanted = new Set<AbortController>();
  #isSweeping = false;
  #opened = 0;
  #reused = 0;
  #onEmpty: (() => void) | undefined;

  constructor({ deps }: { readonly deps: Pick<Deps, 'clock' | 'log'> }) {
    this.#deps = deps;
  }

  get stats(): PoolStats {
    const sites = [...this.#sites.values()];
    return {
      connections: this.#homes.size,
      idle: sites.reduce((sum, site) => sum + site.idle, 0),
      waiting: sites.reduce((sum, site) => sum + site.waiting, 0),
      opened: this.#opened,
      reused: this.#reused,
    };
  }

  /** A connection that idles and is ready for MAIL: what there is for most messages, without a wait. Given back like any other. */
  takeIdle(ask: PoolAsk): SmtpConnection | undefined {
    if (ask.fresh === true || this.#closing.signal.aborted) return undefined;
    const idle = this.#sites.get(keyOf(ask))?.takeClean();
    return idle === undefined ? undefined : this.#again(idle);
  }

  /** A connection that is ready for MAIL, or the reply that says why there is none. Whoever gets one gives it back with `release`. */
  async acquire(ask: PoolAsk, signal: AbortSignal): Promise<SmtpConnection | Response> {
    for (;;) {
      if (this.#closing.signal.aborted) return shuttingDown;
      if (signal.aborted) return cancelledReply;
      const site = this.#siteOf(ask);
      const idle = ask.fresh ? undefined : site.takeIdle();
      if (idle?.isClean) return this.#again(idle);
      if (site.takeSlot()) return this.#open(site, ask, signal);
      const grant = site.takeIdle() ?? (await this.#turn(site, signal));
      if (grant === 'slot') return this.#open(site, ask, signal);
      if (!(grant instanceof SmtpConnection)) return grant;
      if (grant.isClean && !ask.fresh) return this.#again(grant);
      // It makes way for a new one.
      grant.destroy();
    }
  }

  #again(connection: SmtpConnection): SmtpConnection {
    this.#reused += 1;
    return connection;
  }

  /** Takes a connection back in whatever state it is. What is in the middle of something is dropped, which is what ends it. */
  release(connection: SmtpConnection): void {
    if (connection.isBusy) connection.destroy();
    else if (connection.isClean) this.#keep(connection);
    else void this.#reset(connection);
  }

  /** Lends out no more and waits for what is lent, until `hurry` aborts; then drops it. */
  async close(hurry: AbortSignal): Promise<void> {
    this.#closing.abort();
    for (const wanted of this.#wanted) wanted.abort();
    for (const site of this.#sites.values()) {
      for (let idle = site.takeOldest(); idle !== undefined; idle = site.takeOldest()) void idle.quit();
    }
    if (this.#homes.size > 0 && !hurry.aborted) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
        hurry.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    for (const connection of [...this.#homes.keys()]) connection.destroy();
  }

  async #reset(connection: SmtpConnection): Promise<void> {
    if (await connection.reset()) this.#keep(connection);
    else connection.destroy();
  }

  #keep(connection: SmtpConnection): void {
    const home = this.#homes.get(connection);
    if (home === undefined || this.#closing.signal.aborted || home.idleTimeoutMs <= 0) {
      void connection.quit();
      return;
    }
    home.site.addIdle(connection, this.#deps.clock.monotonicMs() + home.idleTimeoutMs);
    if (this.#homes.size > limits.smtpPoolConnections) void this.#oldestSite()?.takeOldest()?.quit();
    if (!this.#isSweeping) void this.#sweep();
  }

  async #open(site: Site, ask: PoolAsk, signal: AbortSignal): Promise<SmtpConnection | Response> {
    const opened = await this.#whileWanted(signal, (wanted) =>
      openConnection(ask.destination, this.#deps.clock, wanted),
    );
    if (!(opened instanceof SmtpConnection)) {
      this.#freeSlot(site, ask);
      return opened;
    }
    this.#opened += 1;
    this.#homes.set(opened, { site, idleTimeoutMs: ask.idleTimeoutMs });
    const onClosed = (): void => {
      this.#homes.delete(opened);
      site.removeIdle(opened);
      this.#freeSlot(site, ask);
      if (this.#homes.size === 0) this.#onEmpty?.();
    };
    if (opened.closed.aborted) onClosed();
    else opened.closed.addEventListener('abort', onClosed, { once: true });
    return opened;
  }

  async #turn(site: Site, signal: AbortSignal): Promise<SmtpConnection | 'slot' | Response> {
    if (site.waiting >= limits.smtpPoolWaiters) return allBusy;
    const grant = await this.#whileWanted(signal, (wanted) => site.turn(wanted), limits.smtpPoolWaitMs);
    if (grant !== undefined) return grant;
    if (this.#closing.signal.aborted) return shuttingDown;
    return signal.aborted ? cancelledReply : allBusy;
  }

  /** Runs work with a signal that aborts when the asker loses interest, when the pool closes, or when the time is up. */
  async #whileWanted<T>(
    signal: AbortSignal,
    work: (wanted: AbortSignal) => Promise<T>,
    timeoutMs?: number,
  ): Promise<T> {
    const wanted = new AbortController();
    const done = new AbortController();
    const onAbort = (): void => wanted.abort();
    this.#wanted.add(wanted);
    signal.addEventListener('abort', onAbort, { once: true });
    if (timeoutMs !== undefined) void this.#deps.clock.sleep(timeoutMs, done.signal).then(onAbort);
    try {
      return await work(wanted.signal);
    } finally {
      this.#wanted.delete(wanted);
      signal.removeEventListener('abort', onAbort);
      done.abort();
    }
  }

  #siteOf(ask: PoolAsk): Site {
    const key = keyOf(ask);
    const known = this.#sites.get(key);
    if (known !== undefined) return known;
    const site = new Site(ask.maxConnections);
    this.#sites.set(key, site);
    return site;
  }

  /** A destination without connections is forgotten at once: there is no end to the number of destinations. */
  #freeSlot(site: Site, ask: PoolAsk): void {
    site.freeSlot();
    if (site.isUnused) this.#sites.delete(keyOf(ask));
  }

  #oldestSite(): Site | undefined {
    let oldest: Site | undefined;
    for (const site of this.#sites.values()) {
      const expiry = site.oldestExpiryMs;
      if (expiry !== undefined && expiry < (oldest?.oldestExpiryMs ?? Number.POSITIVE_INFINITY)) oldest = site;
    }
    return oldest;
  }

  /** Runs while there are idle connections; closes those whose time has come. */
  async #sweep(): Promise<void> {
    this.#isSweeping = true;
    const { clock } = this.#deps;
    for (;;) {
      const oldest = this.#oldestSite();
      if (oldest?.oldestExpiryMs === undefined || this.#closing.signal.aborted) break;
      const leftMs = oldest.oldestExpiryMs - clock.monotonicMs();
      if (leftMs <= 0) void oldest.takeOldest()?.quit();
      else await clock.sleep(Math.min(leftMs, SWEEP_MS), this.#closing.signal);
    }
    this.#isSweeping = false;
  }
}

function keyOf({ destination: { host, port, profile } }: PoolAsk): string {
  return `${profile.name} ${host} ${port}`;
}
