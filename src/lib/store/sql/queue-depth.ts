/** How much there is to do, for metrics: each count reads one partial index, and no further than to a bound. */
import { limits } from '../../core/limits.ts';
import type { QueueDepth } from '../list.ts';
import type { Sql } from './sql.ts';

const QUERY = `select
    (select count(*) from (select 1 as one from transactions where lease_session_id is not null limit ?) leased) as active,
    (select count(*) from (select 1 as one from transactions where next_attempt_at is not null and input_done = 1 limit ?) due)
      as deferred,
    (select count(*) from (select 1 as one from transactions where input_done = 0 and final_outcome is null limit ?) open)
      as incomplete,
    (select count(*) from (select 1 as one from transactions where uncertain = 1 limit ?) doubtful) as uncertain,
    (select min(next_attempt_at) from transactions where next_attempt_at is not null and input_done = 1) as next_due_at`;

export async function queueDepth(sql: Sql): Promise<QueueDepth> {
  const bound = limits.queueCountRows;
  const rows = await sql.all<{
    active: number;
    deferred: number;
    incomplete: number;
    uncertain: number;
    next_due_at: number | null;
  }>(QUERY, [bound, bound, bound, bound]);
  const { active = 0, deferred = 0, incomplete = 0, uncertain = 0, next_due_at: nextDueAt = null } = rows[0] ?? {};
  return { active, deferred, incomplete, uncertain, ...(nextDueAt !== null && { nextDueAt }) };
}
