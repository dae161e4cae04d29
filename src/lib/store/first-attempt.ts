/** The first attempt, for nearly every transaction the only one, as columns of the transaction's own row: one row to write instead of two. */

/**
 * The first attempt in the row of its transaction: on SQLite, for what is created with one. No replies: it is in `attempts`, as all others, and as the
 * first ones of earlier versions and of claims; or there is none.
 */
export type FirstAttemptColumns = {
  readonly first_started_at: number | null;
  readonly first_ended_at: number | null;
  readonly first_replies: string | null;
  readonly first_hosts: string | null;
  readonly first_dot_sent_at: number | null;
};

export const FIRST_ATTEMPT_COLUMNS = [
  'first_started_at',
  'first_ended_at',
  'first_replies',
  'first_hosts',
  'first_dot_sent_at',
] as const satisfies readonly (keyof FirstAttemptColumns)[];

/** As a row of `attempts` would have it. */
export function firstAttempt(row: FirstAttemptColumns) {
  if (row.first_replies === null) return undefined;
  return {
    number: 1,
    started_at: row.first_started_at ?? 0,
    ended_at: row.first_ended_at,
    replies: row.first_replies,
    hosts: row.first_hosts,
    dot_sent_at: row.first_dot_sent_at,
  };
}
