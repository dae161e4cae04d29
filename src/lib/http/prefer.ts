/** The Prefer header (RFC 7240), as far as it is honoured: an answer that waits for replies, and an upload that is answered with the transaction. */
import { limits } from '../core/limits.ts';
import { answerWait, type Deadline, finalAnswerWait } from './deadline.ts';

export interface Preferences {
  /** What the answer may wait for replies, in milliseconds; 0 when it is to come at once. */
  readonly waitMs: number;
  /** The transaction is wanted in the answer, also where it is usually not there. */
  readonly isViewWanted: boolean;
}

export const NO_PREFERENCES: Preferences = { waitMs: 0, isViewWanted: false };

/** The name of the answer's header that says which preferences were honoured. */
export const PREFERENCE_APPLIED = 'preference-applied';
export const RETURNS_VIEW = 'return=representation';

const WAIT = /(?:^|[,; \t])wait[ \t]*=[ \t]*"?(\d{1,9})/i;
const RETURN = /(?:^|[,; \t])return[ \t]*=[ \t]*"?representation/i;

/** Reads the header; what is not understood is no preference (RFC 7240 §2). */
export function readPreferences(header: string | readonly string[] | undefined): Preferences {
  if (header === undefined) return NO_PREFERENCES;
  const text = typeof header === 'string' ? header : header.join(', ');
  const seconds = WAIT.exec(text)?.[1];
  return {
    waitMs: seconds === undefined ? 0 : Math.min(Number(seconds) * 1000, limits.hangingGetMs),
    isViewWanted: RETURN.test(text),
  };
}

/** Asks a peer to wait a moment with its answer, for then it has the replies, and no GET is needed. */
export function preferAnswers(deadline: Deadline): { readonly prefer?: string } {
  const seconds = answerWait(deadline);
  return seconds === 0 ? {} : { prefer: preferHeader(seconds, false) };
}

/** Asks a peer to answer the upload that completes a message with the transaction, once it is decided. */
export function preferFinalAnswer(deadline: Deadline): string {
  return preferHeader(finalAnswerWait(deadline), true);
}

/** As a header of a request; the wait is said in whole seconds. */
function preferHeader(waitSeconds: number, isViewWanted: boolean): string {
  return isViewWanted ? `${RETURNS_VIEW}, wait=${waitSeconds}` : `wait=${waitSeconds}`;
}

/** Whether an answer to an upload is the transaction. */
export function isViewReturned(applied: string | undefined): boolean {
  return applied?.includes(RETURNS_VIEW) === true;
}
