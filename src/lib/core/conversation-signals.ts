/**
 * What the filters of a conversation found out, kept with each recipient that was exploded from it: the checks of a message are made once, and
 * whoever asks about one recipient later, an operator or the next hop, wants to know what came of them.
 */

import { policyOutcomeSignal } from './signals/policy-outcome.ts';
import type { FilterOutput } from './transaction.ts';

/** Its key among the signals that are kept; no filter has such a name. */
export const CONVERSATION = 'conversation';

/** What was kept of the conversation; empty when there was none, or nothing was found out in it. */
export function ofConversation(kept: FilterOutput): FilterOutput {
  const found = kept[CONVERSATION];
  return typeof found === 'object' && found !== null ? (found as FilterOutput) : {};
}

/** What was kept of the transaction itself. */
export function ofTransaction(kept: FilterOutput): FilterOutput {
  const { [CONVERSATION]: _, ...own } = kept;
  return own;
}

/** Kept signals as peers may see them: where a policy is written is nobody's business. */
export function wireForm(kept: FilterOutput): FilterOutput {
  const { [policyOutcomeSignal.wireName]: policies, ...others } = kept;
  if (typeof policies !== 'object' || policies === null) return others;
  const { verdicts: _, ...wire } = policies as Readonly<Record<string, unknown>>;
  return { ...others, [policyOutcomeSignal.wireName]: wire };
}
