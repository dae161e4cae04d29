/** The marks of a batch in the delivery journal as one statement. */
import type { DotRow } from '../sql/mark-dot-sent.ts';
import type { Sql } from '../sql/sql.ts';

/** Whoever takes one of them over at this moment waits for this commit, and then finds the mark. */
const MARK = `with
  mark as materialized (
    select transaction_id, session_id, number, dot_sent_at, hosts, replies from json_to_recordset(?::json)
      as m(transaction_id text, session_id bigint, number integer, dot_sent_at bigint, hosts text, replies text)),
  owned as materialized (
    select t.id from transactions t join mark on t.id = mark.transaction_id and t.lease_session_id = mark.session_id for share of t)
  update attempts a set dot_sent_at = mark.dot_sent_at, hosts = mark.hosts, replies = mark.replies
    from mark join owned on owned.id = mark.transaction_id
    where a.transaction_id = mark.transaction_id and a.number = mark.number and a.ended_at is null
    returning a.transaction_id as id`;

/** Of different transactions. Answers of each whether it was written. */
export async function markTogether(sql: Sql, marks: readonly DotRow[]): Promise<readonly boolean[]> {
  const rows = marks.map(({ txId, sessionId, number, at, hosts, replies }) => ({
    transaction_id: txId,
    session_id: sessionId,
    number,
    dot_sent_at: at,
    hosts,
    replies,
  }));
  const marked = await sql.all<{ id: string }>(MARK, [JSON.stringify(rows)]);
  const ids = new Set(marked.map(({ id }) => id));
  return marks.map(({ txId }) => ids.has(txId));
}
