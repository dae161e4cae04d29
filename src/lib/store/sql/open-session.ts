/**
 * Writes the row of a new session; its id is never used again, so a lease names one life of one process. Earlier lives at the same address
 * are over: what they leased need not wait until they expire.
 */
import { endSession } from './end-session.ts';
import { lockRows, type Sql } from './sql.ts';

export async function openSession(sql: Sql, args: { readonly uri: string; readonly now: number }): Promise<number> {
  const earlier = await sql.all<{ id: number }>(`select id from sessions where uri = ? order by id${lockRows(sql)}`, [
    args.uri,
  ]);
  for (const { id } of earlier) await endSession(sql, { sessionId: id, now: args.now });
  const rows = await sql.all<{ id: number }>(
    'insert into sessions (uri, opened_at, refreshed_at) values (?, ?, ?) returning id',
    [args.uri, args.now, args.now],
  );
  return (rows[0] as { id: number }).id;
}
