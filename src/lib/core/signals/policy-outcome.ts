/** What the policies of a chain have decided so far about one transaction, so that later ones of the same tag stand back or build on it. */
import type { Mailbox } from '../mailbox.ts';
import type { SignalType } from '../signal.ts';

export type PolicyAction = 'LOG' | 'REJECT' | 'MATCH';

/** A policy that matched, or one whose facts were missing. */
export interface PolicyVerdict {
  readonly tag: string;
  readonly rule: string;
  /** `UNMET`: a fact the policy needs does not exist, so nobody can say whether it matches. */
  readonly action: PolicyAction | 'UNMET';
  /** The one recipient it is about; absent: the whole transaction. */
  readonly rcpt?: Mailbox;
}

/** In the order of the verdicts. */
export type PolicyOutcome = readonly PolicyVerdict[];

/** On the wire: LOG shows the rule only, MATCH and REJECT settle the tag as well. */
export const policyOutcomeSignal: SignalType<PolicyOutcome> = {
  wireName: 'koukan.policy_action_filter.PolicyActionFilter',
  name: 'policy_action',
  toJson: (outcome) => ({
    matched_tags: [...new Set(outcome.filter(settlesTag).map((verdict) => verdict.tag))],
    matched_rules: [...new Set(outcome.filter(({ action }) => action !== 'UNMET').map((verdict) => verdict.rule))],
  }),
};

export function settlesTag({ action }: PolicyVerdict): boolean {
  return action === 'MATCH' || action === 'REJECT';
}
