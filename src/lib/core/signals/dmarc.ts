/** What `dmarc_check` found out: whether the author's domain stands behind the message, and what it asks to be done if not (RFC 9989). */
import type { SignalType } from '../signal.ts';

export type DmarcResult = 'pass' | 'fail' | 'none' | 'temperror' | 'permerror';
export type DmarcPolicy = 'none' | 'quarantine' | 'reject';

export interface Dmarc {
  readonly result: DmarcResult;
  /** The domain of the From address; with several, the one that decided; absent when none, or not each, can be read, or there are too many. */
  readonly authorDomain?: string;
  /** Where the policy record was found: the author's domain, its organisation's or a public suffix above. */
  readonly policyDomain?: string;
  /** What the record says about mail of that domain that fails. */
  readonly publishedPolicy?: DmarcPolicy;
  /** What its owner really asks for now: one step milder while the record says `t=y`. */
  readonly requestedPolicy?: DmarcPolicy;
  /** What the owner asks to be done with this message: the requested policy if it failed, else `none`. */
  readonly disposition: DmarcPolicy;
  /** What vouched for the domain. */
  readonly alignedBy: readonly ('dkim' | 'spf')[];
  /** For people. */
  readonly comment?: string;
}

export const dmarcSignal: SignalType<Dmarc> = {
  wireName: 'koukan.dmarc_check_filter.DmarcCheckFilter',
  name: 'dmarc_check',
  toJson: (found) => ({
    result: found.result,
    ...(found.authorDomain !== undefined && { author_domain: found.authorDomain }),
    ...(found.policyDomain !== undefined && { policy_domain: found.policyDomain }),
    ...(found.publishedPolicy !== undefined && { published_policy: found.publishedPolicy }),
    ...(found.requestedPolicy !== undefined && { requested_policy: found.requestedPolicy }),
    disposition: found.disposition,
    aligned_by: found.alignedBy,
  }),
};
