/** What happens after an attempt: a pure function of the transaction, the policy, the time and the jitter (protocol §5.2). */
import { limits } from './limits.ts';
import { isOk, isPermanent, type Response } from './response.ts';
import type { Final } from './transaction.ts';
import type { UncertainPolicy } from './uncertainty.ts';

/** Times in milliseconds; `null` lifts a limit. */
export interface RetryParams {
  readonly maxAttempts: number | null;
  readonly minAttemptTimeMs: number;
  readonly maxAttemptTimeMs: number;
  readonly backoffFactor: number;
  /** Age at which the transaction is given up. */
  readonly deadlineMs: number | null;
  /** Pause after an attempt that ended in a bug. */
  readonly bugRetryMs: number;
}

export const DEFAULT_RETRY: RetryParams = {
  maxAttempts: 30,
  minAttemptTimeMs: 60_000,
  maxAttemptTimeMs: 3_600_000,
  backoffFactor: 1.5,
  deadlineMs: 86_400_000,
  bugRetryMs: 3_600_000,
};

/** How an attempt ended. `reply` is the decisive one; it names the phase for the text people read. */
export type AttemptEnd =
  | { readonly kind: 'replied'; readonly phase: 'mail' | 'rcpt' | 'data'; readonly reply: Response }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'downstreamTimeout' }
  /** `isInDoubt`: after the end of the message was sent, and nobody heard what the far end said to it. */
  | { readonly kind: 'bug'; readonly isInDoubt?: true };

export interface RetryAsk {
  readonly end: AttemptEnd;
  /** Number of the attempt that ended, from 1. */
  readonly attempt: number;
  readonly createdAt: number;
  /** Retrying is enabled for this transaction. */
  readonly retry: boolean;
  /** What to do when nobody knows whether the message was delivered; `retry` when absent. */
  readonly whenUncertain?: UncertainPolicy;
}

export type RetryDecision =
  | { readonly kind: 'finish'; readonly final: Final }
  | { readonly kind: 'defer'; readonly until: number }
  /** It may have been delivered: somebody has to decide. */
  | { readonly kind: 'uncertain' };

/**
 * Decides. `jitter` is uniform in [0, 1) and spreads the pause by up to a tenth upwards, so that what failed together does not come back
 * together. Upstream's order of clamps is kept: the minimum wins over the maximum.
 */
export function afterAttempt(ask: RetryAsk, params: RetryParams, now: number, jitter: number): RetryDecision {
  const { end } = ask;
  if (end.kind === 'cancelled') return finish('cancelled', 'downstream cancelled');
  if (end.kind === 'downstreamTimeout') return finish('abandoned', 'downstream timeout');
  if (end.kind === 'replied') {
    if (isOk(end.reply)) return finish('delivered', 'upstream response success');
    if (isPermanent(end.reply)) return finish('failed', PERMFAIL_TEXT[end.phase]);
  }
  // Whether or not there would be another attempt: given up, it would be reported as not delivered, which nobody knows.
  if (isInDoubt(end) && (ask.whenUncertain ?? 'retry') !== 'retry') return { kind: 'uncertain' };
  if (!ask.retry) return finish('failed', 'no retry');
  if (params.maxAttempts !== null && ask.attempt >= params.maxAttempts)
    return finish('failed', 'retry policy max attempts');
  const pause = Math.max(limits.retryPauseMs, pauseMs(ask, params, now));
  const until = Math.floor(now + pause * (1 + jitter / 10));
  if (params.deadlineMs !== null && until - ask.createdAt > params.deadlineMs)
    return finish('failed', 'retry policy deadline');
  return { kind: 'defer', until };
}

/** Nobody knows whether the far end has taken the message. */
export function isInDoubt(end: AttemptEnd): boolean {
  if (end.kind === 'bug') return end.isInDoubt === true;
  return end.kind === 'replied' && end.reply.inDoubt === true;
}

const PERMFAIL_TEXT = {
  mail: 'upstream mail_response permfail',
  rcpt: 'upstream rcpt_response permfail',
  data: 'upstream response permfail',
} as const;

function pauseMs(ask: RetryAsk, params: RetryParams, now: number): number {
  if (ask.end.kind === 'bug') return params.bugRetryMs;
  const elapsed = Math.max(0, now - ask.createdAt);
  return Math.max(params.minAttemptTimeMs, Math.min(params.maxAttemptTimeMs, elapsed * params.backoffFactor));
}

function finish(outcome: Final['outcome'], text: string): RetryDecision {
  return { kind: 'finish', final: { outcome, text } };
}
