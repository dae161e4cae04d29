/**
 * Stores the bytes of blobs. A large body is begun, written in pieces over several commits while nothing refers to it, and then referenced
 * by the commit that creates its transaction; a crash in between leaves an unreferenced blob, which is garbage.
 */
import type { Sql } from './sql.ts';

/** Answers the id of an empty blob that will be `totalLength` bytes long; `undefined` while its total is not known. */
export async function beginBlob(
  sql: Sql,
  args: { readonly totalLength: number | undefined; readonly now: number },
): Promise<number> {
  const rows = await sql.all<{ id: number }>(
    'insert into blobs (length, total_length, reference_count, touched_at) values (0, ?, 0, ?) returning id',
    [args.totalLength ?? null, args.now],
  );
  return (rows[0] as { id: number }).id;
}

export interface BlobWrite {
  readonly blobId: number;
  /** Where the first chunk goes: the blob's length so far. */
  readonly offset: number;
  readonly chunks: readonly Uint8Array[];
  readonly now: number;
}

/** Appends chunks; answers the blob's new length. */
export async function writeBlob(sql: Sql, args: BlobWrite): Promise<number> {
  let end = args.offset;
  const writes: Promise<unknown>[] = [];
  for (const chunk of args.chunks) {
    writes.push(
      sql.run('insert into blob_chunks (blob_id, start_offset, content) values (?, ?, ?)', [args.blobId, end, chunk]),
    );
    end += chunk.byteLength;
  }
  writes.push(sql.run('update blobs set length = ?, touched_at = ? where id = ?', [end, args.now, args.blobId]));
  await Promise.all(writes);
  return end;
}
