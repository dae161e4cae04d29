/** Appends to a blob that is being uploaded, by the offset rules of the protocol (§1.6), and notices when the input is complete. */
import { limits } from '../../core/limits.ts';
import { type BlobRow, blobStatus } from '../rows.ts';
import type { AppendResult } from '../store.ts';
import { lockRows, type Sql } from './sql.ts';
import { writeBlob } from './write-blob.ts';

export interface Append {
  readonly txId: string;
  readonly name: string;
  /** Where the first chunk belongs. */
  readonly offset: number;
  readonly chunks: readonly Uint8Array[];
  /** Where the whole request ends, of which these chunks may be one of several pieces. */
  readonly requestEnd: number;
  readonly total: number | undefined;
  readonly now: number;
}

export async function appendBlob(sql: Sql, args: Append): Promise<AppendResult> {
  // The transaction's row is locked first: two last pieces at the same moment must not both think that the other one is missing.
  const found = await sql.all<{ input_done: number }>(
    `select input_done from transactions where id = ?${lockRows(sql)}`,
    [args.txId],
  );
  const tx = found[0];
  if (tx === undefined) return { kind: 'unknownTransaction' };
  const blob = await findBlob(sql, args.txId, args.name);
  if (blob === undefined) return { kind: 'unknownBlob' };
  const total = acceptedTotal(blob, args);
  if (total === 'range') return { kind: 'range', status: blobStatus(blob) };

  const chunks = withoutPrefix(args.chunks, blob.length - args.offset);
  if (chunks.length > 0) await writeBlob(sql, { blobId: blob.id, offset: blob.length, chunks, now: args.now });
  if (total !== blob.total_length) await sql.run('update blobs set total_length = ? where id = ?', [total, blob.id]);
  const length = chunks.reduce((sum, chunk) => sum + chunk.byteLength, blob.length);
  const status = blobStatus({ ...blob, length, total_length: total });
  await touch(sql, args);
  const inputDone = tx.input_done === 1 || (status.finalized && (await completeInput(sql, args)));
  return { kind: 'stored', status, inputDone };
}

export type FoundBlob = BlobRow & { readonly in_file: number };

async function findBlob(sql: Sql, txId: string, name: string): Promise<FoundBlob | undefined> {
  const rows = await sql.all<FoundBlob>(
    `select b.id, r.name, b.length, b.total_length, b.in_file from blob_references r join blobs b on b.id = r.blob_id
      where r.transaction_id = ? and r.name = ?`,
    [txId, name],
  );
  return rows[0];
}

/** The total length that holds after this piece, or that the piece does not fit what is stored. */
function acceptedTotal(blob: BlobRow, args: Append): number | null | 'range' {
  const total = blob.total_length ?? args.total ?? null;
  if (args.offset > blob.length) return 'range';
  if (args.total !== undefined && args.total !== total) return 'range';
  if (total !== null && (args.requestEnd > total || blob.length > total)) return 'range';
  return total;
}

/** A prefix that is stored already is skipped, so that a plain retry of an upload works. */
function withoutPrefix(chunks: readonly Uint8Array[], overlap: number): readonly Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = overlap;
  for (const chunk of chunks) {
    if (skip < chunk.byteLength) rest.push(skip === 0 ? chunk : chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.byteLength);
  }
  return rest;
}

/** An upload that goes on is not garbage. */
async function touch(sql: Sql, args: Append): Promise<void> {
  await sql.run('update transactions set updated_at = ? where id = ? and updated_at < ?', [
    args.now,
    args.txId,
    args.now - limits.uploadTouchMs,
  ]);
}

async function completeInput(sql: Sql, args: Append): Promise<boolean> {
  const done = await sql.run(
    `update transactions set input_done = 1, version = version + 1, updated_at = ?
      where id = ? and not exists (
        select 1 from blob_references r join blobs b on b.id = r.blob_id
        where r.transaction_id = ? and (b.total_length is null or b.length <> b.total_length))`,
    [args.now, args.txId, args.txId],
  );
  return done === 1;
}

export async function loadBlob(
  sql: Sql,
  args: { readonly txId: string; readonly name: string },
): Promise<FoundBlob | undefined> {
  return findBlob(sql, args.txId, args.name);
}
