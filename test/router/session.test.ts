/**
 * Signs of life: who gives them is certain of its leases, who was away asks first, and nobody is declared dead by who was away itself, or
 * because of what a clock on a wall says.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../../src/lib/ops/log.ts';
import { Session } from '../../src/lib/router/session.ts';
import { type SessionSign, StoreUnavailableError } from '../../src/lib/store/store.ts';
import { takeoversIn } from '../crash/takeovers.mjs';
import { FakeClock, settle } from '../helpers/fake-clock.ts';
import { fakeDeps, memoryLog } from '../helpers/fake-deps.ts';

const REFRESH_MS = 2000;
const TTL_MS = 10_000;
/** For so long after a sign of life a router trusts its leases. */
const TRUST_MS = 7500;
const OURS = 'http://one.example';

/** A database with the sessions of several routers; it may be away. */
class Sessions {
  isAway = false;
  takesNoSessions = false;
  sessionId: string | undefined;
  /** Signs of life of this router, at which times. */
  readonly signs: number[] = [];
  readonly expired: string[] = [];
  rows: SessionSign[] = [];
  released = 0;
  /** Who is to be ended gives another sign of life in that moment. */
  isPassedOver = false;
  #newest = 0;

  add(uri: string, ttlMs = TTL_MS): string {
    this.#newest += 1;
    const id = String(this.#newest);
    this.rows.push({ id, uri, ttlMs, sign: 1 });
    return id;
  }

  /** A sign of life of some router. */
  sign(of: string): void {
    this.rows = this.rows.map((row) => (row.id === of ? { ...row, sign: row.sign + 1 } : row));
  }

  end(of: string): void {
    this.rows = this.rows.filter(({ id }) => id !== of);
  }

  async openSession(uri: string, _now: number, terms: { yields?: boolean } = {}): Promise<boolean> {
    this.#reach();
    this.sessionId = undefined;
    if (this.takesNoSessions) throw new StoreUnavailableError('no answer');
    if (terms.yields && this.rows.some((row) => row.uri === uri)) return false;
    this.rows = this.rows.filter((row) => row.uri !== uri);
    this.sessionId = this.add(uri);
    return true;
  }

  async refreshSession(now: number): Promise<boolean> {
    this.#reach();
    if (!this.rows.some(({ id }) => id === this.sessionId)) return false;
    this.signs.push(now);
    this.sign(this.sessionId ?? '');
    return true;
  }

  async sessions(): Promise<readonly SessionSign[]> {
    this.#reach();
    return this.rows;
  }

  async expireSessions(silent: readonly SessionSign[]): Promise<number> {
    this.#reach();
    if (this.isPassedOver) return 0;
    for (const { id } of silent) {
      this.expired.push(id);
      this.end(id);
    }
    return this.released;
  }

  #reach(): void {
    if (this.isAway) throw new StoreUnavailableError('away');
  }
}

const heard: string[] = [];
const onReleased = (): void => void heard.push('released');
const onLost = (): void => void heard.push('lost');
let clock: FakeClock;
let log: ReturnType<typeof memoryLog>;
let store: Sessions;
let session: Session;
let stop: AbortController;
let other: string;

/** What was logged, as a process writes it. */
function asWritten(): string {
  const written: string[] = [];
  const destination = { write: (line: string): void => void written.push(line) };
  const json = createLog({ level: 'info', format: 'json', clock, destination });
  for (const { level, fields, text } of log.lines) json[level as 'info' | 'warn' | 'error'](fields, text);
  return written.join('');
}

beforeEach(async () => {
  heard.length = 0;
  clock = new FakeClock();
  log = memoryLog();
  store = new Sessions();
  other = store.add('http://two.example');
  const config = {
    restListener: { sessionUri: OURS },
    storage: { sessionRefreshIntervalMs: REFRESH_MS, sessionTtlMs: TTL_MS },
  } as ConstructorParameters<typeof Session>[0]['config'];
  session = new Session({ config, deps: fakeDeps({ clock, log }), store, onReleased, onLost });
  stop = new AbortController();
  await session.open();
  const living = session.keepAlive(stop.signal);
  return async () => {
    stop.abort();
    await living;
  };
});

/** Time passes, in which the other router gives its signs of life. */
async function together(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += REFRESH_MS / 2) {
    store.sign(other);
    await clock.advance(REFRESH_MS / 2);
  }
}

describe('a session', () => {
  it('is refreshed at its interval, and certain without a question', async () => {
    await together(3 * REFRESH_MS);
    expect(store.signs).toHaveLength(3);
    expect(await session.isCertain()).toBe(true);
    expect(store.signs).toHaveLength(3);
  });

  it('takes over from who is silent for as long as its own terms say', async () => {
    store.released = 2;
    const patient = store.add('http://three.example', 3 * TTL_MS);
    await clock.advance(REFRESH_MS);
    await clock.advance(TTL_MS - 1);
    expect(store.expired).toEqual([]);
    await clock.advance(1);
    expect(store.expired).toEqual([other]);
    expect(heard).toEqual(['released']);
    expect(log.lines).toMatchObject([
      { level: 'warn', fields: { released: 2, took_over_from: ['http://two.example'] } },
    ]);
    await clock.advance(2 * TTL_MS);
    expect(store.expired).toEqual([other, patient]);
  });

  it('says of a dead replica that left nothing just that, and nothing of one that is alive after all', async () => {
    await clock.advance(REFRESH_MS + TTL_MS);
    expect(store.expired).toEqual([other]);
    expect(heard).toEqual([]);
    const fields = { uris: ['http://two.example'] };
    const text = 'a replica is dead, and nothing of it was left to take over';
    expect(log.lines).toEqual([{ level: 'info', fields, text }]);
    store.add('http://four.example');
    store.isPassedOver = true;
    await clock.advance(REFRESH_MS + TTL_MS);
    expect(log.lines).toHaveLength(1);
  });

  it('logs whom it took over from, and when, as the crash test reads it', async () => {
    store.released = 2;
    await clock.advance(REFRESH_MS);
    await clock.advance(TTL_MS);
    expect(takeoversIn(asWritten())).toEqual([{ uri: 'http://two.example', at: clock.now() }]);
  });

  it('logs no takeover, as the crash test reads it, from who had nothing in work', async () => {
    await clock.advance(REFRESH_MS);
    await clock.advance(TTL_MS);
    expect([store.expired, takeoversIn(asWritten())]).toEqual([[other], []]);
  });

  it('sends nobody to who has been silent for half of its time', async () => {
    await clock.advance(REFRESH_MS + TTL_MS / 2 - 1);
    expect(session.isSuspect(other)).toBe(false);
    await clock.advance(REFRESH_MS);
    expect(session.isSuspect(other)).toBe(true);
    store.sign(other);
    await clock.advance(REFRESH_MS);
    expect(session.isSuspect(other)).toBe(false);
    expect(await session.addressOf(other)).toBe('http://two.example');
    expect(await session.addressOf(store.sessionId ?? '')).toBeUndefined();
    expect(await session.addressOf('999')).toBeUndefined();
  });

  it('does not care what time the wall clock shows to the others, or to itself', async () => {
    clock.set(-3_600_000);
    await together(2 * TTL_MS);
    expect(await session.isCertain()).toBe(true);
    clock.set(2 * 3_600_000);
    await together(2 * TTL_MS);
    expect(await session.isCertain()).toBe(true);
    expect(store.expired).toEqual([]);
    expect(heard).toEqual([]);
  });

  it('is in doubt when either clock says that the last sign of life is old', async () => {
    store.isAway = true;
    clock.set(TRUST_MS);
    expect(await session.isCertain()).toBe(false);
    clock.set(-2 * TRUST_MS);
    expect(await session.isCertain()).toBe(true);
    await clock.advance(TRUST_MS);
    expect(await session.isCertain()).toBe(false);
  });

  it('is in doubt before the others may take over, and tried again soon', async () => {
    store.isAway = true;
    await clock.advance(TRUST_MS - 1);
    expect(await session.isCertain()).toBe(true);
    await clock.advance(1);
    expect(session.isTrusted).toBe(false);
    expect(await session.isCertain()).toBe(false);
    store.isAway = false;
    expect(await session.isCertain()).toBe(true);
    expect(heard).toEqual([]);
  });

  it('does not count the time in which it could not see the others', async () => {
    await clock.advance(2 * REFRESH_MS);
    store.isAway = true;
    await clock.advance(20 * TTL_MS);
    store.isAway = false;
    await clock.advance(1000);
    expect(store.expired).toEqual([]);
    await clock.advance(TTL_MS - REFRESH_MS - 1000);
    expect(store.expired).toEqual([]);
    await clock.advance(REFRESH_MS);
    expect(store.expired).toEqual([other]);
  });

  it('that was declared dead is lost once, whoever asks, and followed by another', async () => {
    stop.abort();
    await settle();
    await clock.advance(TRUST_MS);
    store.end(store.sessionId ?? '');
    expect(await Promise.all([session.isCertain(), session.isCertain()])).toEqual([false, false]);
    expect(heard).toEqual(['lost']);
    expect(store.sessionId).toBe('3');
    expect(await session.isCertain()).toBe(true);
  });

  it('that was declared dead is lost once, however often the next one cannot be opened', async () => {
    store.end(store.sessionId ?? '');
    store.takesNoSessions = true;
    await together(TTL_MS);
    store.takesNoSessions = false;
    await together(REFRESH_MS);
    expect(heard).toEqual(['lost']);
    expect(await session.isCertain()).toBe(true);
  });

  it('gives way to a later process with the same address, instead of the two ending each other for ever', async () => {
    store.end(store.sessionId ?? '');
    const usurper = store.add(OURS);
    const lives = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += REFRESH_MS / 2) {
        store.sign(usurper);
        await together(REFRESH_MS / 2);
      }
    };
    await lives(3 * TTL_MS);
    expect(heard).toEqual(['lost']);
    expect(store.sessionId).toBeUndefined();
    expect(store.expired).toEqual([]);
    expect(await session.isCertain()).toBe(false);
    // Once that one is gone the address is free again.
    await together(TTL_MS + 2 * REFRESH_MS);
    expect(store.expired).toEqual([usurper]);
    expect(store.sessionId).toBeDefined();
    expect(await session.isCertain()).toBe(true);
  });
});
