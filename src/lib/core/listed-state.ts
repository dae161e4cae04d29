/** What state a transaction is in, in one word, for whoever looks at the queue from outside. */
import type { Final } from './transaction.ts';

/**
 * - `active`: in work at some router, right now.
 * - `deferred`: waits for its next attempt (or, when there was no room for one at once, for its first).
 * - `incomplete`: waits for its client to upload the rest of the message.
 * - `uncertain`: the final dot was sent and the answer is not known; waits for somebody to decide whether it is sent again.
 * - the others are final: see `Final`.
 */
export const LISTED_STATES = [
  'active',
  'deferred',
  'incomplete',
  'delivered',
  'failed',
  'cancelled',
  'abandoned',
  'uncertain',
] as const;

export type ListedState = (typeof LISTED_STATES)[number];

/** Those that may still change by themselves. */
export const OPEN_STATES: ReadonlySet<ListedState> = new Set(['active', 'deferred', 'incomplete']);

export interface StateFacts {
  readonly final?: Final;
  /** Some router has it in work. */
  readonly isLeased: boolean;
  readonly inputDone: boolean;
  readonly uncertain?: boolean;
}

export function listedState({ final, isLeased, inputDone, uncertain }: StateFacts): ListedState {
  if (final !== undefined) return final.outcome;
  if (uncertain === true) return 'uncertain';
  if (isLeased) return 'active';
  return inputDone ? 'deferred' : 'incomplete';
}
