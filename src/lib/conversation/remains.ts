/**
 * What is kept of a conversation that has ended, until its client can no longer ask: how many recipients there were and how they were answered,
 * not who they were, nor the message. The REST view shows no more than that of any transaction.
 */
import type { Body } from '../core/body.ts';
import { InvariantError } from '../core/errors.ts';
import { type Mailbox, mailbox } from '../core/mailbox.ts';
import type { FilterOutput, TxState } from '../core/transaction.ts';

/** The state with nothing in it that nobody can see; whatever is the same for many is one object for all of them. */
export function remains(state: TxState): TxState {
  return {
    mailFrom: state.mailFrom && SOMEBODY,
    rcptTo: state.rcptTo.length === 1 ? ONE : state.rcptTo.map(() => SOMEBODY),
    incremental: state.incremental,
    body: state.body && new SpentBody(state.body.size),
    replies: state.replies,
    attemptCount: state.attemptCount,
    retry: state.retry,
    notification: state.notification,
    cancelled: state.cancelled,
    filterOutput: isEmpty(state.filterOutput) ? NONE : SOME,
    final: state.final,
  };
}

const SOMEBODY: Mailbox = mailbox('', []);
const ONE: readonly Mailbox[] = [SOMEBODY];
const NONE: FilterOutput = {};
/** There was something; what it was cannot be read back. */
const SOME: FilterOutput = { forgotten: true };

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}

/** A message whose bytes were let go. */
class SpentBody implements Body {
  readonly size: number;

  constructor(size: number) {
    this.size = size;
  }

  chunks(): never {
    throw new InvariantError('the bytes of this message were let go');
  }

  retain(): () => void {
    return NOTHING_TO_RELEASE;
  }
}

const NOTHING_TO_RELEASE = (): void => undefined;
