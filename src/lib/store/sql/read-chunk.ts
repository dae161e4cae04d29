/** Reads one stored piece of a blob: memory holds a piece of a message, never all of it. */
import type { Sql } from './sql.ts';

/** The whole is in the row of the blob, or the piece in one of its chunks. */
const READ = `select coalesce(c.start_offset, 0) as start_offset, coalesce(c.content, b.content) as content
  from blobs b left join blob_chunks c on c.blob_id = b.id
    and c.start_offset = (select max(start_offset) from blob_chunks where blob_id = ? and start_offset <= ?)
  where b.id = ?`;

/** The bytes from `offset` to the end of the piece they lie in, or nothing at the end of the blob. */
export async function readChunk(
  sql: Sql,
  { blobId, offset }: { readonly blobId: number; readonly offset: number },
): Promise<Uint8Array | undefined> {
  const [row] = await sql.all<{ start_offset: number; content: Uint8Array | null }>(READ, [blobId, offset, blobId]);
  const rest = row?.content?.subarray(offset - row.start_offset);
  return rest === undefined || rest.length === 0 ? undefined : rest;
}
