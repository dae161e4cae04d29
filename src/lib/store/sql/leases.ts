/** What a session has leased, and letting go of what of it nobody works on. */
import { limits } from '../../core/limits.ts';
import { FIRST_ATTEMPT_COLUMNS } from '../first-attempt.ts';
import type { Lease } from '../store.ts';
import { endCancelled } from './end-cancelled.ts';
import { isCompact, type Sql } from './sql.ts';

export interface LeaseQuestion {
  readonly sessionId: number;
  readonly onlyCancelled: boolean;
}

export async function listLeases(sql: Sql, { sessionId, onlyCancelled }: LeaseQuestion): Promise<readonly Lease[]> {
  const rows = await sql.all<{ id: string; version: number; cancelled: number }>(
    `select id, version, cancelled from transactions where lease_session_id = ?${onlyCancelled ? ' and cancelled = 1' : ''} limit ?`,
    [sessionId, limits.leasesRead],
  );
  return rows.map(({ id, version, cancelled }) => ({ txId: id, version, cancelled: cancelled === 1 }));
}

export interface Release {
  readonly sessionId: number;
  readonly leases: readonly Lease[];
  readonly dueAt: number;
  readonly dropAttempt: boolean;
  readonly now: number;
}

/** Answers how many were released. */
export async function releaseLeases(sql: Sql, release: Release): Promise<number> {
  const released = await Promise.all(release.leases.map((lease) => letGo(sql, lease, release)));
  return released.reduce((sum, count) => sum + count, 0);
}

async function letGo(sql: Sql, { txId, version }: Lease, release: Release): Promise<number> {
  const { sessionId, dueAt, dropAttempt, now } = release;
  const released = await sql.run(
    `update transactions set lease_session_id = null, next_attempt_at = ?, version = version + 1, updated_at = ?
      where id = ? and lease_session_id = ? and version = ?`,
    [dueAt, now, txId, sessionId, version],
  );
  if (released === 0) return 0;
  if (dropAttempt) await dropNewestAttempt(sql, txId);
  await endCancelled(sql, { txId }, now);
  return released;
}

/**
 * Only that one: an earlier one that never ended was begun by a router that died, and counts. Numbers must not have gaps. One that has sent its
 * message stays, whoever takes it for a claim that nobody heard of.
 */
async function dropNewestAttempt(sql: Sql, txId: string): Promise<void> {
  if (isCompact(sql) && (await dropFirst(sql, txId))) return;
  await sql.run(
    `delete from attempts where transaction_id = ? and ended_at is null and dot_sent_at is null
      and number = (select max(number) from attempts where transaction_id = ?)`,
    [txId, txId],
  );
}

/** The first one, where that is in the row of its transaction and the newest. */
async function dropFirst(sql: Sql, txId: string): Promise<boolean> {
  const dropped = await sql.run(
    `update transactions set ${FIRST_ATTEMPT_COLUMNS.map((column) => `${column} = null`).join(', ')}
      where id = ? and first_replies is not null and first_ended_at is null and first_dot_sent_at is null
        and not exists (select 1 from attempts where transaction_id = ?)`,
    [txId, txId],
  );
  return dropped > 0;
}
