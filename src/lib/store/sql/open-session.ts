/**
 * Writes the row of a new session; its id is never used again, so a lease names one life of one process. Earlier lives at the same address
 * are over: what they leased need not wait until they expire. Who yields finds the address taken instead, and gets no session.
 */
import { endSession } from './end-session.ts';
import { lockRows, type Sql } from './sql.ts';

export interface NewSession {
  readonly uri: string;
  readonly ttlMs: number;
  readonly yields: boolean;
  readonly now: number;
}

/** Answers the id, or `null` when somebody else has the address. */
export async function openSession(sql: Sql, { uri, ttlMs, yields, now }: NewSession): Promise<number | null> {
  const earlier = await sql.all<{ id: number }>(`select id from sessions where uri = ? order by id${lockRows(sql)}`, [
    uri,
  ]);
  if (yields && earlier.length > 0) return null;
  for (const { id } of earlier) await endSession(sql, { sessionId: id, now });
  const rows = await sql.all<{ id: number }>(
    'insert into sessions (uri, opened_at, refreshed_at, ttl_ms) values (?, ?, ?, ?) returning id',
    [uri, now, now, ttlMs],
  );
  return (rows[0] as { id: number }).id;
}
