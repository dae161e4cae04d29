/** Makes a deferred or uncertain transaction due at once: an operator does not want to wait, or what it waited for has happened. */
import type { Sql } from './sql.ts';

/** `due` from now on; left as it is because it is `inWork`, or `final`, or still waits for its `input`; or `unknown`. */
export type MakeDueResult = 'due' | 'inWork' | 'final' | 'input' | 'unknown';

export async function makeDue(sql: Sql, args: { readonly txId: string; readonly now: number }): Promise<MakeDueResult> {
  const waiting = await sql.all<{ id: string }>(
    `update transactions set next_attempt_at = ?, uncertain = 0, version = version + 1, updated_at = ?
      where id = ? and (next_attempt_at is not null or uncertain = 1) and input_done = 1 returning id`,
    [args.now, args.now, args.txId],
  );
  if (waiting.length > 0) return 'due';
  const [row] = await sql.all<{ final_outcome: string | null; lease_session_id: number | null }>(
    'select final_outcome, lease_session_id from transactions where id = ?',
    [args.txId],
  );
  if (row === undefined) return 'unknown';
  if (row.final_outcome !== null) return 'final';
  return row.lease_session_id === null ? 'input' : 'inWork';
}
