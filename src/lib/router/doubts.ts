/**
 * What an earlier life of this router, or another router, has left in doubt: an attempt that sent the message whole and never ended. Whoever
 * claims the transaction next finds it here, before anything is sent again.
 */
import type { Body } from '../core/body.ts';
import { isOk } from '../core/response.ts';
import { NEW_TX } from '../core/transaction.ts';
import { cutOffReply } from '../core/uncertainty.ts';
import type { AttemptRecord, StoredTransaction } from '../store/store.ts';
import { type ConcludeEnv, recordOutcome } from './conclude.ts';
import type { Journal } from './journal.ts';
import { stateOf } from './stored-state.ts';
import { Work, type WorkFacts } from './work.ts';

export interface DoubtsOptions extends ConcludeEnv {
  readonly journal: Journal;
  /** Hears that notifications fell due. */
  readonly onDue: () => void;
}

export class Doubts {
  readonly #options: DoubtsOptions;

  constructor(options: DoubtsOptions) {
    this.#options = options;
  }

  /**
   * Looks at a transaction that has just been claimed. Answers `true` when it may have been delivered and its sender's policy is not to try
   * again: then that is recorded, the lease is given up, and the claimed attempt does not take place.
   */
  async settle(stored: StoredTransaction, facts: WorkFacts, body: Body | undefined): Promise<boolean> {
    const { journal, deps, onDue } = this.#options;
    const cutOff = cutOffAttempt(stored.attempts);
    if (cutOff === undefined) return false;
    journal.cutOff(facts.id, facts.route, cutOff.number);
    if ((facts.route.sender.uncertain ?? 'retry') === 'retry') {
      // An attempt in between was begun by a life that has counted it.
      if (stored.attempts.at(-2) === cutOff) journal.cutOffSettled(facts.route);
      return false;
    }
    const work = new Work(facts, {
      state: {
        ...NEW_TX,
        ...stateOf(stored),
        ...(body && { body }),
        attemptCount: cutOff.number,
        replies: repliesOf(cutOff),
      },
      version: stored.version,
      pastAttempts: stored.attempts.filter(({ number }) => number < cutOff.number),
      isDurable: true,
      now: deps.clock.monotonicMs(),
    });
    work.attemptStartedAt = cutOff.startedAt;
    work.dotSentAt = cutOff.dotSentAt;
    for (const host of cutOff.hosts ?? []) work.offered(host);
    const recorded = await recordOutcome(work, { kind: 'uncertain' }, this.#options);
    if (recorded === 'notRecorded') return true;
    journal.cutOffSettled(facts.route);
    for (const { record } of recorded) journal.accepted(record);
    if (recorded.length > 0) onDue();
    return true;
  }
}

/**
 * The newest attempt before the one that has just been claimed, of those that never ended, that sent its message. An attempt that has ended
 * since says what is known of the message, and whoever decided about a doubt has ended the attempt it was about.
 */
export function cutOffAttempt(attempts: readonly AttemptRecord[]): AttemptRecord | undefined {
  for (const attempt of attempts.slice(0, -1).reverse()) {
    if (attempt.endedAt !== undefined) return undefined;
    if (attempt.dotSentAt !== undefined) return attempt;
  }
  return undefined;
}

function repliesOf({ replies }: AttemptRecord): AttemptRecord['replies'] {
  return replies.data !== undefined && isOk(replies.data) ? replies : { ...replies, data: cutOffReply };
}
