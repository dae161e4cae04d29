/**
 * DNS over the resolver of the platform, with an in-process cache: that resolver asks anew every time, and a mail system asks the same
 * question for every message of a burst. What it says is sorted into found, not there, and not known for now.
 */
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Clock, Dns, DnsAnswer } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import { systemClock } from './clock.ts';

export interface DnsOptions {
  /** `192.0.2.53` or `192.0.2.53:5353`; the system's resolvers by default. */
  readonly servers?: readonly string[];
  /** Wait for one try at one server, and how many tries. */
  readonly timeoutMs?: number;
  readonly tries?: number;
  /** How long a found record is kept at most, and how long a name or type that does not exist stays so. */
  readonly cacheTtlMs?: number;
  readonly negativeTtlMs?: number;
  readonly cacheEntriesMax?: number;
  readonly clock?: Clock;
}

export interface SystemDns extends Dns {
  /** Gives up whatever is still being asked. */
  close(): void;
}

/** Records with how long they may be kept, where the resolver says so (A and AAAA only). */
interface Found<T> {
  readonly records: readonly T[];
  readonly ttlMs?: number;
}

/** Codes that say the name or the type does not exist, and will not for the moment: NXDOMAIN, NODATA, a name that cannot be one. */
const NOT_FOUND = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

export function createDns(options: DnsOptions = {}): SystemDns {
  const { timeoutMs = 3000, tries = 2 } = options;
  const resolver = new Resolver({ timeout: timeoutMs, tries });
  if (options.servers !== undefined) resolver.setServers([...options.servers]);
  const ask = cached(options);
  const a = (host: string): Promise<DnsAnswer<string>> =>
    ask('A', host, async () => addressRecords(await resolver.resolve4(host, { ttl: true })));
  const aaaa = (host: string): Promise<DnsAnswer<string>> =>
    ask('AAAA', host, async () => addressRecords(await resolver.resolve6(host, { ttl: true })));
  return {
    mx: (domain) =>
      ask('MX', domain, async () => {
        const found = await resolver.resolveMx(domain);
        return { records: found.map(({ exchange, priority }) => ({ exchange, preference: priority })) };
      }),
    async addresses(host) {
      if (isIP(host) !== 0) return { status: 'ok', records: [host] };
      return bothFamilies(await Promise.all([a(host), aaaa(host)]));
    },
    ptr: (ip) =>
      isIP(ip) === 0
        ? Promise.resolve({ status: 'notFound' })
        : ask('PTR', reverseName(ip), async () => ({ records: await resolver.resolvePtr(reverseName(ip)) })),
    txt: (name) =>
      ask('TXT', name, async () => ({ records: (await resolver.resolveTxt(name)).map((pieces) => pieces.join('')) })),
    close: () => resolver.cancel(),
  };
}

type Ask = <T>(type: string, name: string, lookup: () => Promise<Found<T>>) => Promise<DnsAnswer<T>>;

/** Answers each question from memory while it is fresh; questions asked at the same moment share one lookup. */
function cached(options: DnsOptions): Ask {
  const { clock = systemClock, cacheEntriesMax = limits.dnsCacheEntries } = options;
  const { cacheTtlMs = 300_000, negativeTtlMs = 60_000 } = options;
  const entries = new Map<string, { answer: Promise<DnsAnswer<unknown>>; expiresAt: number }>();
  return <T>(type: string, name: string, lookup: () => Promise<Found<T>>) => {
    const key = `${type} ${name.toLowerCase()}`;
    const known = entries.get(key);
    if (known !== undefined && clock.monotonicMs() < known.expiresAt) return known.answer as Promise<DnsAnswer<T>>;
    const entry = { answer: Promise.resolve<DnsAnswer<unknown>>({ status: 'notFound' }), expiresAt: Infinity };
    const keepFor = (ttlMs: number): void => {
      entry.expiresAt = clock.monotonicMs() + Math.min(ttlMs, cacheTtlMs);
    };
    const answer = lookup().then(
      ({ records, ttlMs = cacheTtlMs }): DnsAnswer<T> => {
        keepFor(ttlMs);
        return { status: 'ok', records };
      },
      (error: unknown): DnsAnswer<T> => {
        const failure = failureOf(error);
        // What could not be answered is asked again at the next need.
        keepFor(failure.status === 'notFound' ? negativeTtlMs : 0);
        return failure;
      },
    );
    entry.answer = answer;
    entries.delete(key);
    entries.set(key, entry);
    for (const oldest of entries.keys()) {
      if (entries.size <= cacheEntriesMax) break;
      entries.delete(oldest);
    }
    return answer;
  };
}

function failureOf(error: unknown): { status: 'notFound' } | { status: 'temporary'; why: string } {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  if (code === undefined) throw error;
  return NOT_FOUND.has(code) ? { status: 'notFound' } : { status: 'temporary', why: code };
}

function addressRecords(found: readonly { address: string; ttl: number }[]): Found<string> {
  return {
    records: found.map((record) => record.address),
    ttlMs: 1000 * Math.min(...found.map((record) => record.ttl)),
  };
}

/** IPv4 first. Only when both families were answered and neither has a record does the host not exist. */
function bothFamilies(answers: readonly DnsAnswer<string>[]): DnsAnswer<string> {
  const records = answers.flatMap((answer) => (answer.status === 'ok' ? answer.records : []));
  if (records.length > 0) return { status: 'ok', records };
  return answers.find((answer) => answer.status === 'temporary') ?? { status: 'notFound' };
}

/** RFC 1035 §3.5, RFC 3596 §2.5; an IPv4-mapped address is looked up as the IPv4 address it is. */
function reverseName(ip: string): string {
  const address = ipaddr.process(ip.replace(/%.*$/, ''));
  const bytes = address.toByteArray();
  if (address.kind() === 'ipv4') return `${bytes.reverse().join('.')}.in-addr.arpa`;
  const nibbles = bytes.flatMap((byte) => [byte >> 4, byte & 15]).reverse();
  return `${nibbles.map((nibble) => nibble.toString(16)).join('.')}.ip6.arpa`;
}
