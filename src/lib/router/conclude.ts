/**
 * What an attempt leads to: delivered, failed and bounced, or deferred. For a durable transaction the outcome, the next attempt time and the
 * notification it causes are one commit. For one that is only a conversation's child nothing has to be durable.
 */
import type { Deps } from '../core/deps.ts';
import { LeaseLostError } from '../core/errors.ts';
import { upstreamTimeout } from '../core/fanout.ts';
import { internalErrorReply } from '../core/precondition.ts';
import { formatResponse, type Response } from '../core/response.ts';
import { afterAttempt, type RetryDecision } from '../core/retry.ts';
import { decisive } from '../core/transaction.ts';
import type { NewTransaction, NextStep, Outcome, Store } from '../store/store.ts';
import type { WorkEnd } from './attempt.ts';
import { type NotifySettings, notificationsFor } from './notify.ts';
import type { Work } from './work.ts';

export interface ConcludeEnv {
  readonly store: Store;
  readonly deps: Deps;
  readonly notify: NotifySettings;
  /** Aborts when the router gives up waiting for its store. */
  readonly abandon: AbortSignal;
}

/** What the retry policy says of an attempt that ended. */
export function decide(work: Work, end: Exclude<WorkEnd, { kind: 'shutdown' }>, deps: Deps): RetryDecision {
  const ask = {
    end,
    attempt: work.attemptNumber,
    createdAt: work.facts.createdAt,
    retry: work.live.state.retry,
  };
  return afterAttempt(ask, work.facts.route.handler.retryParams, deps.clock.now(), deps.rng.uniform());
}

/** The next step of the row, and the notification it causes. */
export async function consequences(
  work: Work,
  decision: RetryDecision,
  env: Pick<ConcludeEnv, 'deps' | 'notify'>,
): Promise<{ next: Outcome['next']; spawn: readonly NewTransaction[] }> {
  if (decision.kind === 'defer') return { next: { kind: 'due', at: decision.until }, spawn: [] };
  const next = { kind: 'final', final: decision.final } as const satisfies NextStep;
  if (decision.final.outcome !== 'failed') return { next, spawn: [] };
  return { next, spawn: await notificationsFor(work, lastFailure(work), env.notify, env.deps) };
}

function lastFailure(work: Work): Response {
  return (
    decisive(work.live.state) ?? (work.live.state.replies.mail === undefined ? internalErrorReply : upstreamTimeout)
  );
}

const STORE_RETRY_MS = 1000;

const STORE_RETRY_MAX_MS = 60_000;

/**
 * Records the outcome of a durable transaction. While the store is away it tries again, because the lease is still ours and the far end has
 * answered: giving up early would send the message twice, and letting go without a word would leave it under our lease for ever. Answers
 * the notifications that were created.
 */
export async function recordOutcome(
  work: Work,
  decision: RetryDecision,
  env: ConcludeEnv,
): Promise<readonly NewTransaction[]> {
  const { store, deps, abandon } = env;
  const endedAt = deps.clock.now();
  for (let pauseMs = STORE_RETRY_MS; ; pauseMs = Math.min(2 * pauseMs, STORE_RETRY_MAX_MS)) {
    try {
      // A notification quotes the header of the message, which may have to be read from the store.
      const { next, spawn } = await consequences(work, decision, env);
      await store.recordOutcome(outcomeOf(work, next, spawn, endedAt), deps.clock.now());
      return spawn;
    } catch (error) {
      if (error instanceof LeaseLostError) {
        deps.log.warn({ tx: work.facts.id }, 'lease lost: another replica has taken this transaction over');
        return [];
      }
      deps.log.error({ tx: work.facts.id, error }, 'an outcome could not be recorded, trying again');
      if (abandon.aborted) return [];
      await deps.clock.sleep(pauseMs, abandon);
    }
  }
}

function outcomeOf(work: Work, next: Outcome['next'], spawn: readonly NewTransaction[], endedAt: number): Outcome {
  return {
    id: work.facts.id,
    attempt: work.attemptRecord(endedAt),
    filterOutput: work.live.state.filterOutput,
    next,
    spawn,
    version: work.live.version + 1,
  };
}

/** One line about an attempt that ended. */
export function logAttempt(work: Work, decision: RetryDecision, deps: Deps): void {
  const reply = decisive(work.live.state);
  deps.log.info(
    {
      tx: work.facts.id,
      sender: work.facts.route.sender.name,
      attempt: work.attemptNumber,
      ...(reply !== undefined && { reply: formatResponse(reply) }),
      ...(decision.kind === 'defer'
        ? { nextAttemptAt: new Date(decision.until).toISOString() }
        : { outcome: decision.final.outcome, reason: decision.final.text }),
    },
    'attempt ended',
  );
}
