/** Whether a domain lets a peer send in its name (RFC 7208). The evaluation is mailauth's, which is loaded when it is first needed. */
import type { Deps } from '../core/deps.ts';
import type { SpfResult } from '../core/signals/spf.ts';
import { boundedDns } from './bounded-dns.ts';
import { mailauthResolver } from './mailauth-resolver.ts';

export interface SpfAsk {
  /** The peer's address, as `canonicalAddress` gives it. */
  readonly ip: string;
  /** The domain whose policy is asked for, as DNS has it. */
  readonly domain: string;
  /** Of the sender, for the macros of a record; `postmaster` when there is none (RFC 7208 §4.3). */
  readonly localPart?: string;
  readonly ehloHost?: string;
  /** Ends the waiting for DNS: the result is then `temperror`. */
  readonly signal?: AbortSignal;
}

export interface CheckedSpf {
  readonly result: SpfResult;
  /** Why it is no pass, for people. */
  readonly comment?: string;
}

export async function checkSpf(ask: SpfAsk, deps: Pick<Deps, 'clock' | 'dns'>): Promise<CheckedSpf> {
  const { spf } = await import('mailauth/lib/spf/index.js');
  const localPart = (ask.localPart ?? 'postmaster').replaceAll('@', '_');
  const { status } = await boundedDns(deps, ask.signal, (dns) =>
    spf({
      ip: ask.ip,
      sender: `${localPart}@${ask.domain}`,
      helo: ask.ehloHost ?? '',
      // RFC 7208 §7.3: what `%{r}` is when we have no name to tell.
      mta: 'unknown',
      resolver: mailauthResolver(ask.ip, dns),
    } as Parameters<typeof spf>[0]),
  );
  const result = RESULTS.find((each) => each === status.result) ?? 'temperror';
  if (result === 'pass') return { result };
  const detail = /during lookup of .*?: (.*)$/s.exec(status.comment || '')?.[1];
  return { result, comment: detail ?? COMMENTS[result] };
}

const COMMENTS = {
  temperror: 'DNS failed for the moment',
  permerror: 'the records of the domain are wrong',
  fail: 'the domain does not let this peer send for it',
  softfail: 'the domain probably does not let this peer send for it',
  none: 'the domain says nothing',
  neutral: 'the domain neither lets this peer send for it nor forbids it',
} as const satisfies Record<Exclude<SpfResult, 'pass'>, string>;

const RESULTS: readonly SpfResult[] = ['pass', ...(Object.keys(COMMENTS) as Exclude<SpfResult, 'pass'>[])];
