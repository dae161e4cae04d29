/** What is stored when a child is adopted: the transaction as it is by then, and the notifications it has caused. */
import type { Body } from '../core/body.ts';
import { must } from '../core/errors.ts';
import type { RetryDecision } from '../core/retry.ts';
import { BODY_BLOB, type NewBlob, type NewTransaction } from '../store/store.ts';
import { consequences, decide } from './conclude.ts';
import type { NotifyEnv } from './notify.ts';
import type { Work } from './work.ts';

export interface Adoption {
  readonly work: Work;
  readonly adopted: NewTransaction;
  readonly reports: readonly NewTransaction[];
  /** What its attempt led to, when that was over already. */
  readonly decision: RetryDecision | undefined;
}

const NONE: readonly NewTransaction[] = [];

/** At once, unless there may be notifications. The bytes of the message are kept from now on. */
export function planAdoption(work: Work, body: Body, env: NotifyEnv): Adoption | Promise<Adoption> {
  work.hold(body);
  work.inherit();
  work.live.apply({ type: 'adopt', retry: true, notification: true });
  const blobs = [bodyBlob(body)];
  if (work.isParked) {
    const next = { kind: 'due', at: env.deps.clock.now() } as const;
    const adopted = { record: work.record(), blobs, attempts: [], next };
    return { work, adopted, reports: NONE, decision: undefined };
  }
  if (!work.hasEnded) {
    const attempts = [...work.pastAttempts, work.attemptRecord()];
    const adopted = { record: work.record(), blobs, attempts, next: { kind: 'leased' } } as const;
    return { work, adopted, reports: NONE, decision: undefined };
  }
  if (work.live.state.body === undefined) work.live.apply({ type: 'body', body });
  return planEnded(work, blobs, env);
}

async function planEnded(work: Work, blobs: readonly NewBlob[], env: NotifyEnv): Promise<Adoption> {
  must(work.end !== undefined && work.end.kind !== 'shutdown', 'an attempt that ended says how');
  const decision = decide(work, work.end, env.deps);
  const { next, spawn, isDelayReported } = await consequences(work, decision, env);
  const attempts = [...work.pastAttempts, work.attemptRecord(env.deps.clock.now(), isDelayReported)];
  return { work, adopted: { record: work.record(), blobs, attempts, next }, reports: spawn, decision };
}

export function isMade(plan: Adoption | Promise<Adoption>): plan is Adoption {
  return !(plan instanceof Promise);
}

/** All of one commit. */
export function transactionsOf(adoptions: readonly Adoption[]): readonly NewTransaction[] {
  return adoptions.flatMap(({ adopted, reports }) => [adopted, ...reports]);
}

export function bodyBlob(body: Body): NewBlob {
  return { name: BODY_BLOB, source: { kind: 'body', body } };
}
