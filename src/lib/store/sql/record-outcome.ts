/** Ends an attempt: its replies, what happens next, and the notifications it causes, in one commit. Only the owner of the lease may. */
import { FIRST_ATTEMPT_COLUMNS } from '../first-attempt.ts';
import type { AttemptRow, NextColumns } from '../rows.ts';
import {
  type CreatePlan,
  type CreateResult,
  firstAttemptValues,
  insertPlanned,
  lockReused,
  putAttempt,
} from './create-transactions.ts';
import { endCancelled } from './end-cancelled.ts';
import { isCompact, type Sql, type SqlValue } from './sql.ts';

export interface OutcomeRow {
  readonly txId: string;
  readonly sessionId: number;
  readonly attempt: AttemptRow;
  readonly filterOutput: string;
  readonly next: NextColumns;
  /** The row's version becomes at least this. */
  readonly version: number;
  readonly spawn: CreatePlan;
}

export type OutcomeResult =
  | { readonly kind: 'recorded' }
  | { readonly kind: 'leaseLost' }
  | Extract<CreateResult, { kind: 'reuse' }>;

const ENDED = `filter_output = ?, final_outcome = ?, final_text = ?, next_attempt_at = ?, lease_session_id = null, uncertain = ?,
    version = case when version + 1 >= ? then version + 1 else ? end, updated_at = ?
  where id = ? and lease_session_id = ?`;

export const UPDATE_OUTCOME = `update transactions set ${ENDED}`;

/** The same with the first attempt, where that is in the row; else it changes nothing. */
export const UPDATE_WITH_FIRST = `update transactions
  set ${FIRST_ATTEMPT_COLUMNS.map((column) => `${column} = ?`).join(', ')}, ${ENDED} and first_replies is not null`;

export function outcomeValues(outcome: OutcomeRow): readonly SqlValue[] {
  const { filterOutput, next, version, spawn, txId, sessionId } = outcome;
  const { final_outcome, final_text, next_attempt_at, uncertain } = next;
  const columns = [filterOutput, final_outcome, final_text, next_attempt_at, uncertain];
  return [...columns, version, version, spawn.now, txId, sessionId];
}

export function withFirstValues(outcome: OutcomeRow): readonly SqlValue[] {
  return [...firstAttemptValues(outcome.attempt), ...outcomeValues(outcome)];
}

export async function recordOutcome(sql: Sql, args: OutcomeRow): Promise<OutcomeResult> {
  const { next, spawn } = args;
  const reused = await lockReused(sql, spawn);
  if (!(reused instanceof Map)) return reused;
  if (!(await endAttempt(sql, args))) return { kind: 'leaseLost' };
  if (next.final_outcome === null) await endCancelled(sql, { txId: args.txId }, spawn.now);
  // A later attempt was begun by whoever found this one in doubt, and sends nothing.
  if (next.uncertain === 1) {
    await sql.run('delete from attempts where transaction_id = ? and number > ? and ended_at is null', [
      args.txId,
      args.attempt.number,
    ]);
  }
  await insertPlanned(sql, spawn, reused);
  return { kind: 'recorded' };
}

/** Answers `false`, and writes nothing, when the lease is another's. */
async function endAttempt(sql: Sql, outcome: OutcomeRow): Promise<boolean> {
  const mayBeInRow = outcome.attempt.number === 1 && isCompact(sql);
  if (mayBeInRow && (await sql.run(UPDATE_WITH_FIRST, withFirstValues(outcome))) > 0) return true;
  if ((await sql.run(UPDATE_OUTCOME, outcomeValues(outcome))) === 0) return false;
  await putAttempt(sql, outcome.txId, outcome.attempt);
  return true;
}
