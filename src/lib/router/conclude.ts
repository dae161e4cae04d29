/**
 * What an attempt leads to: delivered, failed and bounced, or deferred. For a durable transaction the outcome, the next attempt time and the
 * notification it causes are one commit. For one that is only a conversation's child nothing has to be durable.
 */
import type { Deps } from '../core/deps.ts';
import { LeaseLostError } from '../core/errors.ts';
import { afterAttempt, type RetryDecision } from '../core/retry.ts';
import type { NewTransaction, Outcome, Store } from '../store/store.ts';
import type { WorkEnd } from './attempt.ts';
import { type NotifyEnv, type NotifySettings, notificationFor } from './notify.ts';
import { reportOn } from './report.ts';
import { untilStored } from './until-stored.ts';
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
    whenUncertain: work.whenUncertain,
  };
  return afterAttempt(ask, work.facts.route.handler.retryParams, deps.clock.now(), deps.rng.uniform());
}

export interface Consequences {
  readonly next: Outcome['next'];
  /** The notification it causes. */
  readonly spawn: readonly NewTransaction[];
  /** That notification says that the message is late. */
  readonly isDelayReported: boolean;
}

/** The same, when nobody is to be notified. */
export function quietConsequences(work: Work, decision: RetryDecision, deps: Deps): Consequences | undefined {
  const isAsked = work.live.state.notification;
  if (isAsked && reportOn(work, decision, deps.clock.now()) !== undefined) return undefined;
  return { next: nextStep(decision), spawn: NOBODY, isDelayReported: false };
}

const NOBODY: readonly NewTransaction[] = [];

/** What the end of an attempt leads to: the next step of the row, and the notification that is created in the same commit. */
export async function consequences(work: Work, decision: RetryDecision, env: NotifyEnv): Promise<Consequences> {
  const next = nextStep(decision);
  const isAsked = work.live.state.notification;
  const report = isAsked ? reportOn(work, decision, env.deps.clock.now()) : undefined;
  const spawn = report === undefined ? [] : await notificationFor(work, report, env);
  return {
    next,
    spawn,
    isDelayReported: report?.action === 'delayed' && report.isUncertain !== true && spawn.length > 0,
  };
}

function nextStep(decision: RetryDecision): Outcome['next'] {
  switch (decision.kind) {
    case 'defer':
      return { kind: 'due', at: decision.until };
    case 'finish':
      return { kind: 'final', final: decision.final };
    case 'uncertain':
      return decision;
  }
}

/** Tries after which a notification goes without the message it is about, when the store takes writes but does not give that. */
const QUOTE_TRIES = 3;

/**
 * Records the outcome of a durable transaction. While the store is away it tries again, because the lease is still ours and the far end has
 * answered: giving up early would send the message twice, and letting go without a word would leave it under our lease for ever. Answers
 * the notifications that were created, or `notRecorded` when the transaction is another router's by now, or will be when this one ends.
 */
export function recordOutcome(
  work: Work,
  decision: RetryDecision,
  env: ConcludeEnv,
): Promise<readonly NewTransaction[] | 'notRecorded'> {
  const { store, deps, abandon } = env;
  const endedAt = deps.clock.now();
  let made = quietConsequences(work, decision, deps);
  let isAgain = false;
  const record = (leadsTo: Consequences): Promise<readonly NewTransaction[] | 'notRecorded'> => {
    const outcome = outcomeOf(work, leadsTo, endedAt, isAgain);
    // The commit may be made although its answer is lost.
    isAgain = true;
    return store.recordOutcome(outcome, deps.clock.now()).then(
      () => leadsTo.spawn,
      (error: unknown) => leaseLost(work, error, deps),
    );
  };
  const recorded = untilStored({ deps, abandon, tx: work.facts.id, what: 'an outcome' }, (tries) => {
    if (made !== undefined) return record(made);
    return consequences(work, decision, { ...env, isImpatient: tries > QUOTE_TRIES }).then((leadsTo) => {
      made = leadsTo;
      return record(leadsTo);
    });
  });
  return recorded.then((spawn) => spawn ?? 'notRecorded');
}

/** Throws any other error. */
function leaseLost(work: Work, error: unknown, { log }: Deps): 'notRecorded' {
  if (!(error instanceof LeaseLostError)) throw error;
  log.warn({ tx: work.facts.id }, 'lease lost: another replica has taken this transaction over');
  return 'notRecorded';
}

function outcomeOf(
  work: Work,
  { next, spawn, isDelayReported }: Consequences,
  endedAt: number,
  isAgain: boolean,
): Outcome {
  return {
    id: work.facts.id,
    attempt: work.attemptRecord(endedAt, isDelayReported),
    filterOutput: work.live.state.filterOutput,
    next,
    spawn,
    version: work.live.version + 1,
    isAgain,
  };
}
