/** A point in time as an AbortSignal, so that one wait can listen to both the clock and whoever may stop it. */
import type { Clock } from '../core/deps.ts';
import { limits } from '../core/limits.ts';

export interface Deadline {
  /** Aborts at the deadline, or when the parent does. */
  readonly signal: AbortSignal;
  /** Milliseconds left, never negative. */
  leftMs(): number;
  /** Whether the time is over (rather than the parent aborted). */
  isOver(): boolean;
  /** Releases the timer; the signal never aborts after that. */
  clear(): void;
}

/** A reason of one's own: the default one is an exception with a stack, made anew each time. */
const OVER = 'over';

/** Starts a deadline `ms` from now. The caller clears it when done. */
export function startDeadline(clock: Clock, ms: number, parent?: AbortSignal): Deadline {
  const at = clock.monotonicMs() + ms;
  const abort = new AbortController();
  let isOver = false;
  const stop = (): void => abort.abort(OVER);
  if (parent?.aborted) stop();
  else parent?.addEventListener('abort', stop, { once: true });
  const forget = clock.after(ms, () => {
    isOver = true;
    stop();
  });
  return {
    signal: abort.signal,
    leftMs: () => Math.max(0, at - clock.monotonicMs()),
    isOver: () => isOver,
    clear: () => {
      forget();
      parent?.removeEventListener('abort', stop);
    },
  };
}

/** What a peer is told of our patience (protocol §1.1): a second less than we have, nothing when that is too little to say. */
export function patience(deadline: Deadline): { readonly 'request-timeout'?: string } {
  const secondsLeft = Math.floor(deadline.leftMs() / 1000);
  return secondsLeft >= 2 ? { 'request-timeout': String(secondsLeft - 1) } : {};
}

/**
 * How many seconds an answer to a create or a PATCH may wait for replies. Not long: while it is awaited, nothing else can be asked of the
 * transaction, and a create cannot be taken back.
 */
export function answerWait(deadline: Deadline): number {
  return Math.min(ANSWER_WAIT_SECONDS, Math.floor(deadline.leftMs() / 1000));
}

const ANSWER_WAIT_SECONDS = 1;

/** The same for the upload that completes a message, after which nothing is asked any more: as long as a hanging GET. */
export function finalAnswerWait(deadline: Deadline): number {
  return Math.max(0, Math.floor(Math.min(limits.hangingGetMs, deadline.leftMs() - PATIENCE_MARGIN_MS) / 1000));
}

const PATIENCE_MARGIN_MS = 1000;
