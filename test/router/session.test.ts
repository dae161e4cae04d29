/** Signs of life: who gives them is certain of its leases, who was away asks first, and nobody is declared dead by who was away itself. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Session } from '../../src/lib/router/session.ts';
import { StoreUnavailableError } from '../../src/lib/store/store.ts';
import { FakeClock, settle } from '../helpers/fake-clock.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';

const REFRESH_MS = 30_000;
const TTL_MS = 90_000;

/** A database with the sessions of two routers; it may be away. */
class Sessions {
  isAway = false;
  isOursAlive = true;
  opened = 0;
  readonly signs: number[] = [];
  readonly expiries: number[] = [];
  dead = 0;

  async openSession(): Promise<void> {
    this.#reach();
    this.opened += 1;
    this.isOursAlive = true;
  }

  async refreshSession(now: number): Promise<boolean> {
    this.#reach();
    this.signs.push(now);
    return this.isOursAlive;
  }

  async expireSessions(before: number): Promise<number> {
    this.#reach();
    this.expiries.push(before);
    return this.dead;
  }

  #reach(): void {
    if (this.isAway) throw new StoreUnavailableError('away');
  }
}

const heard: string[] = [];
const onReleased = (): void => void heard.push('released');
const onLost = (): void => void heard.push('lost');
let clock: FakeClock;
let store: Sessions;
let session: Session;
let stop: AbortController;

beforeEach(async () => {
  heard.length = 0;
  clock = new FakeClock();
  store = new Sessions();
  const config = {
    restListener: { sessionUri: 'http://one.example' },
    storage: { sessionRefreshIntervalMs: REFRESH_MS, sessionTtlMs: TTL_MS },
  } as ConstructorParameters<typeof Session>[0]['config'];
  session = new Session({ config, deps: fakeDeps({ clock }), store, onReleased, onLost });
  stop = new AbortController();
  await session.open();
  const living = session.keepAlive(stop.signal);
  return async () => {
    stop.abort();
    await living;
  };
});

describe('a session', () => {
  it('is refreshed at its interval, and certain without a question', async () => {
    await clock.advance(3 * REFRESH_MS);
    expect(store.signs).toHaveLength(3);
    expect(await session.isCertain()).toBe(true);
    expect(store.signs).toHaveLength(3);
  });

  it('takes over from the dead, and says so', async () => {
    store.dead = 2;
    await clock.advance(REFRESH_MS);
    expect(store.expiries).toEqual([clock.now() - TTL_MS]);
    expect(heard).toEqual(['released']);
  });

  it('is tried again soon when the database is away, and in doubt after its time', async () => {
    store.isAway = true;
    await clock.advance(TTL_MS - 1);
    expect(await session.isCertain()).toBe(true);
    await clock.advance(1);
    expect(await session.isCertain()).toBe(false);
    store.isAway = false;
    expect(await session.isCertain()).toBe(true);
    expect(heard).toEqual([]);
  });

  it('declares nobody dead right after it was away itself', async () => {
    store.dead = 1;
    store.isAway = true;
    await clock.advance(TTL_MS);
    store.isAway = false;
    await clock.advance(1000);
    expect(store.signs).toHaveLength(1);
    expect(store.expiries).toEqual([]);
    await clock.advance(REFRESH_MS);
    expect(heard).toEqual(['released']);
  });

  it('that was declared dead is lost once, whoever asks, and followed by another', async () => {
    stop.abort();
    await settle();
    await clock.advance(TTL_MS);
    store.isOursAlive = false;
    expect(await Promise.all([session.isCertain(), session.isCertain()])).toEqual([false, false]);
    expect(heard).toEqual(['lost']);
    expect(store.opened).toBe(2);
    expect(await session.isCertain()).toBe(true);
  });
});
