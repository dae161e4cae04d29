/**
 * Stores the bytes of blobs. A large body is begun, written in pieces over several commits while nothing refers to it, and then referenced
 * by the commit that creates its transaction; a crash in between leaves an unreferenced blob, which is garbage.
 */
import { limits } from '../../core/limits.ts';
import { isCompact, type Sql, type SqlValue } from './sql.ts';

export interface NewBlobRow {
  readonly length: number;
  /** Absent while it is not known. */
  readonly totalLength: number | undefined;
  readonly referenceCount: number;
  readonly now: number;
}

const BLOB = 'length, total_length, reference_count, touched_at';
/** With an id that was drawn before. */
export const INSERT_BLOB = `insert into blobs (id, ${BLOB}) values (?, ?, ?, ?, ?)`;
/** The same with its bytes. */
export const INSERT_WHOLE = `insert into blobs (id, ${BLOB}, content) values (?, ?, ?, ?, ?, ?)`;
export const INSERT_CHUNK = 'insert into blob_chunks (blob_id, start_offset, content) values (?, ?, ?)';

/** Answers the id of a new blob, whose bytes are yet to be inserted. */
export async function beginBlob(sql: Sql, blob: NewBlobRow): Promise<number> {
  const rows = await sql.all<{ id: number }>(`insert into blobs (${BLOB}) values (?, ?, ?, ?) returning id`, [
    blob.length,
    blob.totalLength ?? null,
    blob.referenceCount,
    blob.now,
  ]);
  return (rows[0] as { id: number }).id;
}

/** The bytes that go into the row of their blob: small ones, because whatever changes in a row writes all of it again. */
export function wholeOf(sql: Pick<Sql, 'locks'>, chunks: readonly Uint8Array[]): Uint8Array | undefined {
  const [whole] = chunks;
  if (whole === undefined || chunks.length > 1 || whole.byteLength > limits.bodyWithBlobBytes) return undefined;
  return isCompact(sql) ? whole : undefined;
}

export interface WholeBlob {
  readonly content: Uint8Array;
  readonly referenceCount: number;
  readonly now: number;
}

/** For `INSERT_WHOLE`, after the id. */
export function wholeValues({ content, referenceCount, now }: WholeBlob): readonly SqlValue[] {
  return [content.byteLength, content.byteLength, referenceCount, now, content];
}

/** Answers the id of a new blob that is complete. */
export async function insertWhole(sql: Sql, blob: WholeBlob): Promise<number> {
  const rows = await sql.all<{ id: number }>(
    `insert into blobs (${BLOB}, content) values (?, ?, ?, ?, ?) returning id`,
    wholeValues(blob),
  );
  return (rows[0] as { id: number }).id;
}

/** Answers the id of a blob whose bytes are yet to be written to the file that is named after it, and to which nobody refers yet. */
export async function beginFileBlob(
  sql: Sql,
  { length, now }: { readonly length: number; readonly now: number },
): Promise<number> {
  const rows = await sql.all<{ id: number }>(
    'insert into blobs (length, total_length, reference_count, touched_at, in_file) values (?, ?, 0, ?, 1) returning id',
    [length, length, now],
  );
  return (rows[0] as { id: number }).id;
}

/** Of these blobs, those that have a row and are in a file. */
export async function fileBlobs(sql: Sql, ids: readonly number[]): Promise<readonly number[]> {
  const places = ids.map(() => '?').join(', ');
  const rows = await sql.all<{ id: number }>(`select id from blobs where in_file = 1 and id in (${places})`, ids);
  return rows.map(({ id }) => id);
}

/** The highest id that was ever given to a blob, whether it is still there or not; it is never given again (SQLite). */
export async function newestBlobId(sql: Sql): Promise<number> {
  const rows = await sql.all<{ seq: number }>("select seq from sqlite_sequence where name = 'blobs'", []);
  return rows[0]?.seq ?? 0;
}

export interface BlobWrite {
  readonly blobId: number;
  /** Where the first chunk goes: the blob's length so far. */
  readonly offset: number;
  readonly chunks: readonly Uint8Array[];
  readonly now: number;
}

/** Appends chunks; answers the blob's new length. */
export async function writeBlob(sql: Sql, { blobId, offset, chunks, now }: BlobWrite): Promise<number> {
  const end = chunks.reduce((sum, chunk) => sum + chunk.byteLength, offset);
  await Promise.all([
    insertChunks(sql, blobId, offset, chunks),
    sql.run('update blobs set length = ?, touched_at = ? where id = ?', [end, now, blobId]),
  ]);
  return end;
}

export async function insertChunks(
  sql: Sql,
  blobId: number,
  offset: number,
  chunks: readonly Uint8Array[],
): Promise<void> {
  let at = offset;
  const inserts: Promise<number>[] = [];
  for (const chunk of chunks) {
    inserts.push(sql.run(INSERT_CHUNK, [blobId, at, chunk]));
    at += chunk.byteLength;
  }
  await Promise.all(inserts);
}
