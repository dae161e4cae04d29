/**
 * After the wall clock was set back: what was written by the clock as it was before would wait for as long as that was ahead. A row that was
 * last changed in the future says by how much, and keeps the pause it was given then.
 */
import { type Sql, skipLocked } from './sql.ts';

export interface DueCorrection {
  readonly now: number;
  /** Rows that are less far ahead were written by another machine, whose clock does not agree quite with ours. */
  readonly toleranceMs: number;
  readonly limit: number;
}

/** Answers how many were corrected; `limit` at once. */
export async function correctDueTimes(sql: Sql, { now, toleranceMs, limit }: DueCorrection): Promise<number> {
  const future = now + toleranceMs;
  return sql.run(
    `update transactions
      set next_attempt_at = ? + case when next_attempt_at > updated_at then next_attempt_at - updated_at else 0 end,
        version = version + 1, updated_at = ?
      where id in (
        select id from transactions
        where next_attempt_at is not null and input_done = 1 and next_attempt_at > ? and updated_at > ?
        order by next_attempt_at desc limit ?${skipLocked(sql)})`,
    [now, now, future, future, limit],
  );
}
