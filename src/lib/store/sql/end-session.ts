/**
 * Ends sessions: one by its id, or all that have not been refreshed. What they leased is free again in the same commit, due at once, so
 * that a live process takes it over.
 */
import { endCancelled } from './end-cancelled.ts';
import { type Sql, skipLocked } from './sql.ts';

export async function endSession(
  sql: Sql,
  args: { readonly sessionId: number; readonly now: number },
): Promise<number> {
  const released = await releaseLeases(sql, args.sessionId, args.now);
  await sql.run('delete from sessions where id = ?', [args.sessionId]);
  return released;
}

/** Answers how many transactions were released. */
export async function expireSessions(
  sql: Sql,
  args: { readonly before: number; readonly now: number },
): Promise<number> {
  const dead = await sql.all<{ id: number }>(
    `select id from sessions where refreshed_at < ? order by id${skipLocked(sql)}`,
    [args.before],
  );
  let released = 0;
  for (const { id } of dead) released += await endSession(sql, { sessionId: id, now: args.now });
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
