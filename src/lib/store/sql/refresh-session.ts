/**
 * Shows that a session is alive; answers `false` when somebody declared it dead. The sign is another number each time, even when the clock
 * stands still or goes back. The address is asked for too: after a fail-over that lost the newest commits, an id may be given again.
 */
import type { Sql } from './sql.ts';

export async function refreshSession(
  sql: Sql,
  args: { readonly sessionId: number; readonly uri: string; readonly now: number },
): Promise<boolean> {
  const touched = await sql.run(
    `update sessions set refreshed_at = case when refreshed_at >= ? then refreshed_at + 1 else ? end where id = ? and uri = ?`,
    [args.now, args.now, args.sessionId, args.uri],
  );
  return touched === 1;
}
