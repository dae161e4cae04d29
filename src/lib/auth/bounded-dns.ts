/**
 * DNS as a check of one message may use it: so many questions, so much time, and each question once. Strangers write the records that are
 * followed here, so whatever goes beyond the bounds is a temporary failure, which is what it looks like from outside.
 */
import type { Deps, Dns, DnsAnswer } from '../core/deps.ts';
import { limits } from '../core/limits.ts';

type Temporary = Extract<DnsAnswer<never>, { status: 'temporary' }>;

const tooMany: Temporary = { status: 'temporary', why: 'too many DNS questions' };
const tooLong: Temporary = { status: 'temporary', why: 'DNS took too long' };

/** Lends `use` a resolver that answers `temporary` once its time is up, or `signal` aborts. */
export async function boundedDns<T>(
  deps: Pick<Deps, 'clock' | 'dns'>,
  signal: AbortSignal | undefined,
  use: (dns: Dns) => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const ended = signal === undefined ? done.signal : AbortSignal.any([signal, done.signal]);
  const expired = deps.clock.sleep(limits.authDnsMs, ended).then(() => tooLong);
  const asked = new Map<string, Promise<DnsAnswer<unknown>>>();
  const once = <R>(type: string, name: string, ask: () => Promise<DnsAnswer<R>>): Promise<DnsAnswer<R>> => {
    const key = `${type} ${name.toLowerCase()}`;
    const known = asked.get(key);
    if (known !== undefined) return known as Promise<DnsAnswer<R>>;
    if (asked.size >= limits.authDnsQuestions) return Promise.resolve(tooMany);
    const answer = isName(name) ? Promise.race([ask(), expired]) : Promise.resolve({ status: 'notFound' } as const);
    asked.set(key, answer);
    return answer;
  };
  try {
    return await use({
      mx: (domain) => once('MX', domain, () => deps.dns.mx(domain)),
      addresses: (host) => once('A', host, () => deps.dns.addresses(host)),
      ptr: (ip) => once('PTR', ip, () => deps.dns.ptr(ip)),
      txt: (name) => once('TXT', name, () => deps.dns.txt(name)),
    });
  } finally {
    done.abort();
  }
}

/** What cannot be a name in DNS need not be asked for (RFC 1035 §2.3.4). */
function isName(name: string): boolean {
  return /^[\x21-\x7e]{1,254}$/.test(name) && name.split('.').every((label) => label.length <= 63);
}
