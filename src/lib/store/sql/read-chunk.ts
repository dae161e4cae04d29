/** Reads one stored piece of a blob: memory holds a piece of a message, never all of it. */
import type { Sql } from './sql.ts';

/** The piece that begins at `offset`, or nothing at the end of the blob. */
export async function readChunk(
  sql: Sql,
  args: { readonly blobId: number; readonly offset: number },
): Promise<Uint8Array | undefined> {
  const rows = await sql.all<{ content: Uint8Array }>(
    'select content from blob_chunks where blob_id = ? and start_offset = ?',
    [args.blobId, args.offset],
  );
  return rows[0]?.content;
}
