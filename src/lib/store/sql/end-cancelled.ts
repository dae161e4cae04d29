/** Makes cancelled transactions final, taking them from whoever had them. Not a verb of its own: part of those that let go of a transaction. */
import type { Sql } from './sql.ts';

/** To be followed by which of them. */
export const END_CANCELLED = `update transactions
  set final_outcome = 'cancelled', final_text = 'downstream cancelled', next_attempt_at = null, lease_session_id = null, uncertain = 0,
    version = version + 1, updated_at = ?
  where cancelled = 1 and final_outcome is null`;

/** Either the one transaction, if nobody has it in work, or all that this session leases. */
export function endCancelled(
  sql: Sql,
  which: { readonly txId: string } | { readonly leasedTo: number },
  now: number,
): Promise<number> {
  return 'txId' in which
    ? sql.run(`${END_CANCELLED} and id = ? and lease_session_id is null`, [now, which.txId])
    : sql.run(`${END_CANCELLED} and lease_session_id = ?`, [now, which.leasedTo]);
}
