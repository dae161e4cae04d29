/**
 * Deletes what ended, or was never completed, long enough ago, and then the blobs nobody refers to. Small batches, also in bytes: what one
 * call does, others wait for. Index lookups only; rows that somebody else is working on are passed over, so any number of replicas may collect.
 */
import { limits } from '../../core/limits.ts';
import type { GcResult } from '../store.ts';
import { type Sql, skipLocked } from './sql.ts';

export interface Garbage {
  readonly before: number;
  /** The same for blobs in files, which nobody may come to refer to. */
  readonly filesBefore: number;
  readonly limit: number;
}

/** What was deleted, with the blobs whose files are to go now that it is committed. */
export type Collected = GcResult & { readonly files: readonly number[] };

export async function collectGarbage(sql: Sql, args: Garbage): Promise<Collected> {
  const ended = await candidates(sql, 'final_outcome is not null', args);
  const rest = { ...args, limit: args.limit - ended.length };
  const unfinished = await candidates(
    sql,
    'input_done = 0 and final_outcome is null and lease_session_id is null',
    rest,
  );
  // In the order of their ids, so that two replicas do not wait for each other's blobs.
  const ids = [...ended, ...unfinished].sort();
  await Promise.all(ids.map((id) => deleteTransaction(sql, id)));
  const blobs = await deleteBlobs(sql, args);
  const isMore = ids.length >= args.limit || blobs.isMore;
  return { transactions: ids.length, blobs: blobs.deleted, isMore, files: blobs.files };
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
  await Promise.all([
    sql.run(
      `update blobs set reference_count = reference_count
          - (select count(*) from blob_references r where r.blob_id = blobs.id and r.transaction_id = ?)
        where id in (select blob_id from blob_references where transaction_id = ?)`,
      [id, id],
    ),
    // Attempts and references go with it (on delete cascade).
    sql.run('delete from transactions where id = ?', [id]),
  ]);
}

/** Large ones over several calls: their row goes with their last piece. */
async function deleteBlobs(
  sql: Sql,
  { before, filesBefore, limit }: Garbage,
): Promise<{ readonly deleted: number; readonly isMore: boolean; readonly files: readonly number[] }> {
  const blobs = await sql.all<{ id: number; in_file: number }>(
    `select id, in_file from blobs where reference_count = 0 and touched_at < ? and (in_file = 1 or touched_at < ?)
      order by touched_at limit ?${skipLocked(sql)}`,
    [Math.max(before, filesBefore), before, limit],
  );
  let deleted = 0;
  let chunks = limits.gcChunks;
  const files: number[] = [];
  for (const { id, in_file } of blobs) {
    const gone = await sql.run(
      `delete from blob_chunks where blob_id = ? and start_offset in (
          select start_offset from blob_chunks where blob_id = ? order by start_offset limit ?)`,
      [id, id, chunks],
    );
    chunks -= gone;
    if (chunks === 0) return { deleted, isMore: true, files };
    deleted += await sql.run('delete from blobs where id = ?', [id]);
    if (in_file === 1) files.push(id);
  }
  return { deleted, isMore: blobs.length >= limit, files };
}
