/** Reads one stored piece of a blob: memory holds a piece of a message, never all of it. */
import type { Sql } from './sql.ts';

/** The bytes from `offset` to the end of the piece they lie in, or nothing at the end of the blob. */
export async function readChunk(
  sql: Sql,
  { blobId, offset }: { readonly blobId: number; readonly offset: number },
): Promise<Uint8Array | undefined> {
  const [row] = await sql.all<{ start_offset: number; content: Uint8Array }>(
    `select start_offset, content from blob_chunks where blob_id = ? and start_offset <= ? order by start_offset desc limit 1`,
    [blobId, offset],
  );
  const rest = row?.content.subarray(offset - row.start_offset);
  return rest === undefined || rest.length === 0 ? undefined : rest;
}
