/** Shows that a session is alive; answers `false` when somebody declared it dead. */
import type { Sql } from './sql.ts';

export async function refreshSession(
  sql: Sql,
  args: { readonly sessionId: number; readonly now: number },
): Promise<boolean> {
  const touched = await sql.run('update sessions set refreshed_at = ? where id = ?', [args.now, args.sessionId]);
  return touched === 1;
}
