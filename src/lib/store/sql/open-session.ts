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
  /** When this process asked for one before whose answer was lost: a session that was opened then is its own, and no reason to yield. */
  readonly askedAt?: number;
}

/** Answers the id, or `null` when somebody else has the address. */
export async function openSession(sql: Sql, { uri, ttlMs, yields, now, askedAt }: NewSession): Promise<number | null> {
  const earlier = await sql.all<{ id: number; opened_at: number }>(
    `select id, opened_at from sessions where uri = ? order by id${lockRows(sql)}`,
    [uri],
  );
  if (yields && earlier.some(({ opened_at }) => opened_at !== askedAt)) return null;
  for (const { id } of earlier) await endSession(sql, { sessionId: id, now });
  const rows = await sql.all<{ id: number }>(
    'insert into sessions (uri, opened_at, refreshed_at, ttl_ms) values (?, ?, ?, ?) returning id',
    [uri, askedAt ?? now, now, ttlMs],
  );
  return (rows[0] as { id: number }).id;
}
