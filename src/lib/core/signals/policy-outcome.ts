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
  /** Where the policy is written: `router.yaml:12`. */
  readonly place?: string;
}

/** In the order of the verdicts. */
export type PolicyOutcome = readonly PolicyVerdict[];

/** A verdict as it is kept: for operators, who want to know which line of the configuration it was. */
export interface VerdictRecord {
  readonly tag: string;
  readonly rule: string;
  readonly action: PolicyVerdict['action'];
  /** The address of the recipient it is about. */
  readonly rcpt?: string;
  readonly place?: string;
}

/** On the wire: LOG shows the rule only, MATCH and REJECT settle the tag as well. What is kept has the verdicts, too. */
export const policyOutcomeSignal: SignalType<PolicyOutcome> = {
  wireName: 'koukan.policy_action_filter.PolicyActionFilter',
  name: 'policy_action',
  toJson: wireJson,
  toRecord: (outcome) => ({ ...wireJson(outcome), verdicts: outcome.map(verdictRecord) }),
};

/** The verdicts in what was kept of a transaction (`TxRecord.filterOutput`). */
export function verdictRecords(filterOutput: Readonly<Record<string, unknown>>): readonly VerdictRecord[] {
  const kept = filterOutput[policyOutcomeSignal.wireName] as
    | { readonly verdicts?: readonly VerdictRecord[] }
    | undefined;
  return Array.isArray(kept?.verdicts) ? kept.verdicts : [];
}

function wireJson(outcome: PolicyOutcome): Readonly<Record<string, readonly string[]>> {
  return {
    matched_tags: [...new Set(outcome.filter(settlesTag).map((verdict) => verdict.tag))],
    matched_rules: [...new Set(outcome.filter(({ action }) => action !== 'UNMET').map((verdict) => verdict.rule))],
  };
}

function verdictRecord({ tag, rule, action, rcpt, place }: PolicyVerdict): VerdictRecord {
  return {
    tag,
    rule,
    action,
    ...(rcpt !== undefined && { rcpt: rcpt.address }),
    ...(place !== undefined && { place }),
  };
}

export function settlesTag({ action }: PolicyVerdict): boolean {
  return action === 'MATCH' || action === 'REJECT';
}
