/** The delivery journal: an attempt of a leased transaction is about to send, or has sent, the end of the message. */
import { freezeRows, isCompact, type Sql } from './sql.ts';

export interface DotRow {
  readonly txId: string;
  readonly sessionId: number;
  /** Of the attempt. */
  readonly number: number;
  readonly at: number;
  readonly hosts: string | null;
  readonly replies: string;
}

/** Says `false`, and writes nothing, when the transaction is not leased to this session: it is another's to send, or has ended. */
export async function markDotSent(sql: Sql, args: DotRow): Promise<boolean> {
  if (args.number === 1 && isCompact(sql) && (await markFirst(sql, args))) return true;
  // Whoever takes it over at this moment waits for this commit, and then finds the mark.
  const owned = await sql.all(`select id from transactions where id = ? and lease_session_id = ?${freezeRows(sql)}`, [
    args.txId,
    args.sessionId,
  ]);
  if (owned.length === 0) return false;
  const marked = await sql.run(
    `update attempts set dot_sent_at = ?, hosts = ?, replies = ?
      where transaction_id = ? and number = ? and ended_at is null`,
    [args.at, args.hosts, args.replies, args.txId, args.number],
  );
  return marked > 0;
}

/** Where the first attempt is in the row of its transaction; else it changes nothing. */
async function markFirst(sql: Sql, { txId, sessionId, at, hosts, replies }: DotRow): Promise<boolean> {
  const marked = await sql.run(
    `update transactions set first_dot_sent_at = ?, first_hosts = ?, first_replies = ?
      where id = ? and lease_session_id = ? and first_replies is not null and first_ended_at is null`,
    [at, hosts, replies, txId, sessionId],
  );
  return marked > 0;
}
