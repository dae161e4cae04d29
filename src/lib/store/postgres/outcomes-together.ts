/** The outcomes of a batch as one statement. */
import { ATTEMPT_COLUMNS } from '../rows.ts';
import { END_CANCELLED } from '../sql/end-cancelled.ts';
import type { OutcomeResult, OutcomeRow } from '../sql/record-outcome.ts';
import type { Sql } from '../sql/sql.ts';

/**
 * Whether an outcome is only the end of its attempt. One that creates something may only do so if the lease is still held, and one that is in
 * doubt takes later attempts back: they run by themselves.
 */
export function isOnlyUpdate({ spawn, next }: OutcomeRow): boolean {
  return spawn.transactions.length === 0 && next.uncertain === 0;
}

const ATTEMPT = `transaction_id, ${ATTEMPT_COLUMNS.join(', ')}`;
const NEW_ATTEMPT = ATTEMPT_COLUMNS.filter((column) => column !== 'number').map(
  (column) => `${column} = excluded.${column}`,
);

const UPDATE = `with
  updated as (
    update transactions t set filter_output = o.filter_output, final_outcome = o.final_outcome, final_text = o.final_text,
        next_attempt_at = o.next_attempt_at, lease_session_id = null, uncertain = 0,
        version = greatest(t.version + 1, o.version), updated_at = o.now
      from json_to_recordset(?::json) as o(id text, session_id bigint, filter_output text, final_outcome text, final_text text,
        next_attempt_at bigint, version bigint, now bigint)
      where t.id = o.id and t.lease_session_id = o.session_id
      returning t.id),
  put_attempts as (
    insert into attempts (${ATTEMPT})
      select ${ATTEMPT} from json_populate_recordset(null::attempts, ?::json) where transaction_id in (select id from updated)
      on conflict (transaction_id, number) do update set ${NEW_ATTEMPT.join(', ')})
  select id from updated`;

/** What was cancelled meanwhile and is not over ends now, as it would by itself. */
const END = `${END_CANCELLED} and lease_session_id is null and id in (select json_array_elements_text(?::json))`;

/** Of different transactions. */
export async function recordTogether(sql: Sql, outcomes: readonly OutcomeRow[]): Promise<readonly OutcomeResult[]> {
  const rows = outcomes.map(({ txId, sessionId, filterOutput, next, version, spawn }) => ({
    id: txId,
    session_id: sessionId,
    filter_output: filterOutput,
    final_outcome: next.final_outcome,
    final_text: next.final_text,
    next_attempt_at: next.next_attempt_at,
    version,
    now: spawn.now,
  }));
  const attempts = outcomes.map(({ txId, attempt }) => ({ transaction_id: txId, ...attempt }));
  const waiting = outcomes.filter(({ next }) => next.final_outcome === null);
  const [updated] = await Promise.all([
    sql.all<{ id: string }>(UPDATE, [JSON.stringify(rows), JSON.stringify(attempts)]),
    ...endCancelled(sql, waiting),
  ]);
  const ids = new Set(updated.map(({ id }) => id));
  return outcomes.map(({ txId }) => ({ kind: ids.has(txId) ? 'recorded' : 'leaseLost' }));
}

function endCancelled(sql: Sql, outcomes: readonly OutcomeRow[]): Promise<number>[] {
  const [first] = outcomes;
  if (first === undefined) return [];
  return [sql.run(END, [first.spawn.now, JSON.stringify(outcomes.map(({ txId }) => txId))])];
}
