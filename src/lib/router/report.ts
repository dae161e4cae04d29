/**
 * What the sender of a transaction is to be told about an attempt (RFC 3461 §5.2): a failure, a delay that lasts, or a success he asked to
 * hear of. Pure: what is told and how is `notify.ts`.
 */
import { type DsnRequest, dsnRequest } from '../core/dsn-request.ts';
import { upstreamTimeout } from '../core/fanout.ts';
import { internalErrorReply } from '../core/precondition.ts';
import { isOk, type Response } from '../core/response.ts';
import type { RetryDecision } from '../core/retry.ts';
import { decisive } from '../core/transaction.ts';
import type { Work } from './work.ts';

export interface Report {
  readonly action: 'failed' | 'delayed' | 'delivered' | 'relayed';
  /** The reply that decided. */
  readonly response: Response;
  /** It may have been delivered, and is not sent again by itself. */
  readonly isUncertain?: true;
}

/** What was asked for; `undefined` when there is nobody to tell: the reverse-path is null (RFC 5321 §4.5.5). */
export function requestOf(work: Work): DsnRequest | undefined {
  const { mailFrom, rcptTo } = work.live.state;
  const rcpt = rcptTo[0];
  if (mailFrom === undefined || mailFrom.address === '' || rcpt === undefined) return undefined;
  return dsnRequest(mailFrom, rcpt);
}

/** The report an attempt leads to, with the decision about the transaction. */
export function reportOn(work: Work, decision: RetryDecision, now: number): Report | undefined {
  const notify = requestOf(work)?.notify;
  if (notify === undefined) return undefined;
  if (decision.kind === 'defer') {
    return notify.delay && isLate(work, now) ? { action: 'delayed', response: lastFailure(work) } : undefined;
  }
  if (decision.kind === 'uncertain') return questionOf(work, notify);
  switch (decision.final.outcome) {
    case 'failed':
      return notify.failure ? { action: 'failed', response: lastFailure(work) } : undefined;
    case 'delivered':
      return work.success?.isStored === false ? work.success.report : undefined;
    default:
      return undefined;
  }
}

/** What the sender is asked: he can find out whether it has arrived, and nobody else can. */
function questionOf(work: Work, notify: DsnRequest['notify']): Report | undefined {
  const isAsked = work.whenUncertain === 'ask' && (notify.delay || notify.failure);
  return isAsked ? { action: 'delayed', response: lastFailure(work), isUncertain: true } : undefined;
}

/**
 * The report that is due when the far end has taken the message: none when it reports itself, `delivered` when nobody comes after it, and
 * `relayed` when it does not know of such duties or did not say (RFC 3461 §5.2.2).
 */
export function successReport(work: Work, response: Response): Report | undefined {
  if (!isOk(response) || requestOf(work)?.notify.success !== true) return undefined;
  switch (response.source?.handover) {
    case 'passed':
    case 'reported':
      return undefined;
    case 'delivered':
      return { action: 'delivered', response };
    default:
      return { action: 'relayed', response };
  }
}

/** It has waited as long as the configuration says, and its sender does not know yet. */
function isLate(work: Work, now: number): boolean {
  const { notification } = work.facts.route.handler;
  const delayAfterMs = notification?.delayAfterMs ?? null;
  if (delayAfterMs === null || now - work.facts.createdAt < delayAfterMs) return false;
  return !work.pastAttempts.some(({ isDelayReported }) => isDelayReported === true);
}

function lastFailure(work: Work): Response {
  return (
    decisive(work.live.state) ?? (work.live.state.replies.mail === undefined ? internalErrorReply : upstreamTimeout)
  );
}
