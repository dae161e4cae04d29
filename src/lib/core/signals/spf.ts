/** What `spf_check` found out: whether the domain of the reverse-path lets this peer send for it (RFC 7208). */
import type { SignalType } from '../signal.ts';

/** RFC 7208 §2.6. */
export type SpfResult = 'temperror' | 'pass' | 'permerror' | 'fail' | 'softfail' | 'none' | 'neutral';

export interface Spf {
  readonly mailFromResult: SpfResult;
  /** Whose policy that was: the domain of the reverse-path, or the EHLO name where that path is null (RFC 7208 §2.4). */
  readonly identity: 'mailfrom' | 'helo';
  /** That domain as DNS has it, lower case; absent when there is none to ask about. */
  readonly domain?: string;
  /** Why it is no pass, for people. */
  readonly comment?: string;
  /** Of the domains in the configuration, whatever the reverse-path says: may this peer send for them? */
  readonly extraDomainResults: ReadonlyMap<string, SpfResult>;
}

const WIRE = {
  temperror: 0,
  pass: 1,
  permerror: 2,
  fail: 3,
  softfail: 4,
  none: 5,
  neutral: 6,
} as const satisfies Record<SpfResult, number>;

export const spfSignal: SignalType<Spf> = {
  wireName: 'koukan.spf_check_filter.SpfCheckFilter',
  name: 'spf_check',
  toJson: ({ mailFromResult, extraDomainResults }) => ({
    mail_from_result: WIRE[mailFromResult],
    extra_domains_results: Object.fromEntries(
      [...extraDomainResults].map(([domain, result]) => [domain, WIRE[result]]),
    ),
  }),
};
