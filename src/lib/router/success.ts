/**
 * Reports of success (RFC 3461 §5.2): due when a sender asked to hear of it and the far end, which has just taken the message, will not tell
 * him. A stored transaction creates the report with its outcome. What is only a conversation's child has no outcome in the store, so its
 * report is stored before the client hears its 250.
 */
import type { Deps } from '../core/deps.ts';
import { ConflictError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Response } from '../core/response.ts';
import type { NewTransaction, Store } from '../store/store.ts';
import type { Journal } from './journal.ts';
import { canNotify, type NotifySettings, notificationFor } from './notify.ts';
import { successReport } from './report.ts';
import { untilStored } from './until-stored.ts';
import type { Work } from './work.ts';

export interface SuccessEnv {
  readonly store: Store;
  readonly deps: Deps;
  readonly notify: NotifySettings;
  readonly abandon: AbortSignal;
  readonly journal: Journal;
  readonly onDue: () => void;
}

/** Takes note of the far end's answer to the message; answers what goes downstream, where nobody else may report the same. */
export function settleSuccess(work: Work, response: Response, env: SuccessEnv): Response | Promise<Response> {
  const report = successReport(work, response);
  const isWanted = !work.isDurable || work.live.state.notification;
  if (report === undefined || !isWanted || !canNotify(work, env.notify)) return response;
  const isStored = !work.isDurable && !work.isAdopting;
  work.success = { report, isStored };
  const reported: Response = { ...response, source: { ...response.source, handover: 'reported' } };
  return isStored ? storeSoon(work, env).then(() => reported) : reported;
}

/** The client does not wait long for a store in trouble: the message is delivered, and a 4xx now would have it sent again. */
async function storeSoon(work: Work, env: SuccessEnv): Promise<void> {
  const { clock } = env.deps;
  const enough = new AbortController();
  work.reporting = storeReport(work, env).finally(() => enough.abort());
  await Promise.race([work.reporting, clock.sleep(limits.successReportMs, enough.signal)]);
}

async function storeReport(work: Work, env: SuccessEnv): Promise<void> {
  const { store, deps, abandon } = env;
  const report = work.success?.report;
  if (report === undefined) return;
  let spawn: readonly NewTransaction[] | undefined;
  await untilStored({ deps, abandon, tx: work.facts.id, what: 'a report of success' }, async (tries) => {
    spawn ??= await notificationFor(work, report, { ...env, isImpatient: tries > 1 });
    if (spawn.length > 0) await createOnce(store, spawn, deps.clock.now());
    for (const { record } of spawn) env.journal.accepted(record);
  });
  env.onDue();
}

/** A commit may have been made although its answer was lost. */
async function createOnce(store: Store, spawn: readonly NewTransaction[], now: number): Promise<void> {
  try {
    await store.create(spawn, now);
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
  }
}
