/** Reads all sessions: who is there, and the newest sign of life of each. There are as many as there are routers, and some dead ones. */
import type { SessionSign } from '../store.ts';
import type { Sql } from './sql.ts';

type SessionRow = {
  readonly id: number;
  readonly uri: string;
  readonly ttl_ms: number;
  readonly refreshed_at: number;
};

export async function listSessions(sql: Sql): Promise<readonly SessionSign[]> {
  const rows = await sql.all<SessionRow>('select id, uri, ttl_ms, refreshed_at from sessions order by id', []);
  return rows.map(({ id, uri, ttl_ms: ttlMs, refreshed_at: sign }) => ({ id: String(id), uri, ttlMs, sign }));
}
