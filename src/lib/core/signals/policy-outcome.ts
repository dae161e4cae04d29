/** What the policies of a chain have decided so far about one transaction, so that later ones of the same tag stand back or build on it. */
import type { SignalType } from '../signal.ts';

export interface PolicyOutcome {
  /** Tags and rules that matched, for the transaction or for at least one recipient. */
  readonly matchedTags: readonly string[];
  readonly matchedRules: readonly string[];
  /** Tags that are settled for the transaction: matched, or blocked by a rule whose facts were missing. */
  readonly settledTags: readonly string[];
  /** Tags and rules that could not be judged because a fact they need does not exist. */
  readonly unmetTags: readonly string[];
  readonly unmetRules: readonly string[];
}

export const NO_OUTCOME: PolicyOutcome = {
  matchedTags: [],
  matchedRules: [],
  settledTags: [],
  unmetTags: [],
  unmetRules: [],
};

export const policyOutcomeSignal: SignalType<PolicyOutcome> = {
  wireName: 'koukan.policy_action_filter.PolicyActionFilter',
  name: 'policy_action',
  toJson: ({ matchedTags, matchedRules }) => ({ matched_tags: matchedTags, matched_rules: matchedRules }),
};
