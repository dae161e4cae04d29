/** Deletes what ended, or was never completed, long enough ago, and then the blobs nobody refers to. Small batches; index lookups only. */
import type { GcResult } from '../store.ts';
import { type Sql, skipLocked } from './sql.ts';

export interface Garbage {
  readonly before: number;
  readonly limit: number;
}

export async function collectGarbage(sql: Sql, args: Garbage): Promise<GcResult> {
  const ended = await candidates(sql, 'final_outcome is not null', args);
  const rest = { ...args, limit: args.limit - ended.length };
  const unfinished = await candidates(
    sql,
    'input_done = 0 and final_outcome is null and lease_session_id is null',
    rest,
  );
  for (const id of [...ended, ...unfinished]) await deleteTransaction(sql, id);
  const blobs = await sql.run(
    `delete from blobs where id in (
        select id from blobs where reference_count = 0 and touched_at < ? order by touched_at limit ?${skipLocked(sql)})`,
    [args.before, args.limit],
  );
  return { transactions: ended.length + unfinished.length, blobs };
}

async function candidates(sql: Sql, which: string, { before, limit }: Garbage): Promise<readonly string[]> {
  if (limit <= 0) return [];
  const rows = await sql.all<{ id: string }>(
    `select id from transactions where ${which} and updated_at < ? order by updated_at limit ?${skipLocked(sql)}`,
    [before, limit],
  );
  return rows.map(({ id }) => id);
}

async function deleteTransaction(sql: Sql, id: string): Promise<void> {
  await sql.run(
    `update blobs set reference_count = reference_count
        - (select count(*) from transaction_blobs r where r.blob_id = blobs.id and r.transaction_id = ?)
      where id in (select blob_id from transaction_blobs where transaction_id = ?)`,
    [id, id],
  );
  // Attempts and references go with it (on delete cascade).
  await sql.run('delete from transactions where id = ?', [id]);
}
