/** Deps for tests: a clock that stands still, seeded randomness, a DNS zone in a literal, and a log that keeps its lines. */
import type { Clock, Deps, Dns, DnsAnswer, Log, MxRecord, Rng } from '../../src/lib/core/deps.ts';
import { FakeClock } from './fake-clock.ts';

/** mulberry32: small, seeded, good enough to be reproducible. */
export function seededRng(seed: number): Rng {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    uniform,
    bytes: (size) => Buffer.from(Array.from({ length: size }, () => Math.floor(uniform() * 256))),
  };
}

export interface Zone {
  readonly mx?: Readonly<Record<string, readonly MxRecord[]>>;
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
  readonly ptr?: Readonly<Record<string, readonly string[]>>;
  readonly txt?: Readonly<Record<string, readonly string[]>>;
  /** Names for which no answer can be had. */
  readonly failing?: readonly string[];
}

/** A resolver that knows one zone; `calls` lists the questions. */
export function fakeDns(zone: Zone = {}): Dns & { readonly calls: string[] } {
  const calls: string[] = [];
  const answer = <T>(
    type: string,
    table: Readonly<Record<string, readonly T[]>> | undefined,
    name: string,
  ): Promise<DnsAnswer<T>> => {
    calls.push(`${type} ${name}`);
    if (zone.failing?.includes(name)) return Promise.resolve({ status: 'temporary', why: 'SERVFAIL' });
    const records = table?.[name];
    return Promise.resolve(records === undefined ? { status: 'notFound' } : { status: 'ok', records });
  };
  return {
    calls,
    mx: (name) => answer('MX', zone.mx, name),
    addresses: (name) => answer('A', zone.addresses, name),
    ptr: (name) => answer('PTR', zone.ptr, name),
    txt: (name) => answer('TXT', zone.txt, name),
  };
}

export interface LogLine {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export function memoryLog(lines: LogLine[] = [], base: object = {}): Log & { readonly lines: LogLine[] } {
  const at =
    (level: string) =>
    (fields: object, text: string): void => {
      lines.push({ level, fields: { ...base, ...fields }, text });
    };
  return {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => memoryLog(lines, { ...base, ...fields }),
  };
}

/** The clock of the machine, for tests over real sockets. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    }),
};

export function fakeDeps(overrides: Partial<Deps> = {}): Deps {
  return { clock: new FakeClock(), rng: seededRng(1), dns: fakeDns(), log: memoryLog(), ...overrides };
}
