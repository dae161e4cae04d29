/** Why a transaction waits, in words for people: which attempt is next and by which rule, or what has to happen first. */
import type { StoredTransaction } from '../store/store.ts';
import type { Route } from './work.ts';

/** `route`: how its sender is configured now, which is what the next attempt will go by. */
export function nextReason(stored: StoredTransaction, route: Route | undefined, now: number): string | undefined {
  const { final, lease, nextAttemptAt, attempts, cancelled } = stored;
  if (final !== undefined) return undefined;
  if (lease !== undefined) return cancelled ? 'cancelled: ends with the attempt under way' : 'an attempt is under way';
  if (stored.uncertain)
    return 'sent, and never answered: it may have been delivered; waits until somebody has it retried or cancelled';
  if (!stored.inputDone) return 'waits for its client to upload the rest of the message';
  if (route === undefined) return `the sender ${stored.record.sender} is not configured any more: kept until it is`;
  const why = whyNext(attempts, route);
  const isLate = nextAttemptAt !== undefined && nextAttemptAt <= now;
  return isLate ? `${why}; due, waits for a router that has a slot free` : why;
}

function whyNext(attempts: StoredTransaction['attempts'], route: Route): string {
  const newest = attempts.at(-1);
  if (newest === undefined) return 'first attempt';
  const { maxAttempts, deadlineMs } = route.handler.retryParams;
  const of = maxAttempts === null ? '' : ` of ${maxAttempts}`;
  if (newest.endedAt === undefined) {
    const sent = newest.dotSentAt === undefined ? '' : ' after it had sent the message';
    return `attempt ${newest.number + 1}${of}: the router that made attempt ${newest.number} went away without an answer${sent}`;
  }
  const until = deadlineMs === null ? '' : `, given up at an age of ${Math.round(deadlineMs / 60_000)} min`;
  return `retry policy: attempt ${newest.number + 1}${of}, backoff${until}`;
}
