/**
 * Ends sessions: one by its id, or some that gave no sign of life. What they leased is free again in the same commit, due at once, so
 * that a live process takes it over.
 */
import { endCancelled } from './end-cancelled.ts';
import { lockRows, type Sql, skipLocked } from './sql.ts';

export async function endSession(
  sql: Sql,
  args: { readonly sessionId: number; readonly now: number },
): Promise<number> {
  // Locked first: a lease that is being given to it at this moment is then either here to be released, or refused.
  await sql.all(`select id from sessions where id = ?${lockRows(sql)}`, [args.sessionId]);
  const released = await releaseLeases(sql, args.sessionId, args.now);
  await sql.run('delete from sessions where id = ?', [args.sessionId]);
  return released;
}

export interface Expiry {
  /** Sessions with the newest sign of life that was seen of each: who has given another one since is alive. */
  readonly silent: readonly { readonly sessionId: number; readonly sign: number }[];
  readonly now: number;
}

/** Answers how many transactions were released. A session that is giving a sign of life, or a lease, at this moment is passed over. */
export async function expireSessions(sql: Sql, { silent, now }: Expiry): Promise<number> {
  let released = 0;
  for (const { sessionId, sign } of silent) {
    const found = await sql.all(`select id from sessions where id = ? and refreshed_at = ?${skipLocked(sql)}`, [
      sessionId,
      sign,
    ]);
    if (found.length > 0) released += await endSession(sql, { sessionId, now });
  }
  return released;
}

async function releaseLeases(sql: Sql, sessionId: number, now: number): Promise<number> {
  const cancelled = await endCancelled(sql, { leasedTo: sessionId }, now);
  const due = await sql.run(
    'update transactions set lease_session_id = null, next_attempt_at = ?, version = version + 1, updated_at = ? where lease_session_id = ?',
    [now, now, sessionId],
  );
  return cancelled + due;
}
