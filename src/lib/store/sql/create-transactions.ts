/** Creates transactions with their attempts and blobs, all or none. Notifications of an outcome are created by the same statements. */
import { type AttemptRow, TX_COLUMNS, type TxRow } from '../rows.ts';
import { keepRows, lockRows, type Sql } from './sql.ts';
import { beginBlob, writeBlob } from './write-blob.ts';

/** Bytes to be stored once, however many of the new transactions use them. */
export type PlannedBody =
  | { readonly kind: 'inline'; readonly size: number; readonly chunks: readonly Uint8Array[] }
  /** Written before, in pieces. */
  | { readonly kind: 'written'; readonly blobId: number };

export type PlannedSource =
  /** Index into the plan's bodies. */
  | { readonly kind: 'body'; readonly index: number }
  | { readonly kind: 'reuse'; readonly txId: string; readonly name: string }
  | { readonly kind: 'open' };

export interface PlannedTransaction {
  readonly row: TxRow;
  readonly attempts: readonly AttemptRow[];
  readonly blobs: readonly { readonly name: string; readonly source: PlannedSource }[];
}

/** What `create` is asked, as plain data. */
export interface CreatePlan {
  readonly bodies: readonly PlannedBody[];
  readonly transactions: readonly PlannedTransaction[];
  readonly now: number;
}

export type CreateResult =
  | { readonly kind: 'created' }
  | { readonly kind: 'sessionDead' }
  | { readonly kind: 'reuse'; readonly txId: string; readonly name: string; readonly reason: 'missing' | 'unfinished' };

export async function createTransactions(sql: Sql, plan: CreatePlan): Promise<CreateResult> {
  if (!(await leasesAreLive(sql, plan))) return { kind: 'sessionDead' };
  const reused = await lockReused(sql, plan);
  if (!(reused instanceof Map)) return reused;
  await insertPlanned(sql, plan, reused);
  return { kind: 'created' };
}

/** A lease given to a dead session would never be released. */
async function leasesAreLive(sql: Sql, plan: CreatePlan): Promise<boolean> {
  const sessionId = plan.transactions.find(({ row }) => row.lease_session_id !== null)?.row.lease_session_id;
  if (sessionId === undefined || sessionId === null) return true;
  const rows = await sql.all(`select id from sessions where id = ?${keepRows(sql)}`, [sessionId]);
  return rows.length === 1;
}

export type ReusedBlobs = Map<string, number>;

const reuseKey = (txId: string, name: string): string => `${txId} ${name}`;

/** Finds the blobs to be shared and keeps them from being collected; writes nothing, so that a refusal leaves nothing behind. */
export async function lockReused(
  sql: Sql,
  plan: CreatePlan,
): Promise<ReusedBlobs | Extract<CreateResult, { kind: 'reuse' }>> {
  const found: ReusedBlobs = new Map();
  for (const { source } of plan.transactions.flatMap(({ blobs }) => blobs)) {
    if (source.kind !== 'reuse' || found.has(reuseKey(source.txId, source.name))) continue;
    const rows = await sql.all<{ id: number; length: number; total_length: number | null }>(
      `select b.id, b.length, b.total_length from transaction_blobs r join blobs b on b.id = r.blob_id
        where r.transaction_id = ? and r.name = ?${lockRows(sql, 'b')}`,
      [source.txId, source.name],
    );
    const blob = rows[0];
    if (blob === undefined) return { ...source, reason: 'missing' };
    if (blob.length !== blob.total_length) return { ...source, reason: 'unfinished' };
    found.set(reuseKey(source.txId, source.name), blob.id);
  }
  return found;
}

export async function insertPlanned(sql: Sql, plan: CreatePlan, reused: ReusedBlobs): Promise<void> {
  const bodyIds: number[] = [];
  for (const body of plan.bodies) bodyIds.push(await storeBody(sql, body, plan.now));
  for (const tx of plan.transactions) {
    const blobs: { name: string; id: number }[] = [];
    for (const { name, source } of tx.blobs) {
      blobs.push({ name, id: await blobId(sql, source, bodyIds, reused, plan.now) });
    }
    await insertTransaction(sql, tx, blobs);
  }
}

async function storeBody(sql: Sql, body: PlannedBody, now: number): Promise<number> {
  if (body.kind === 'written') return body.blobId;
  const id = await beginBlob(sql, { totalLength: body.size, now });
  await writeBlob(sql, { blobId: id, offset: 0, chunks: body.chunks, now });
  return id;
}

async function blobId(
  sql: Sql,
  source: PlannedSource,
  bodyIds: readonly number[],
  reused: ReusedBlobs,
  now: number,
): Promise<number> {
  if (source.kind === 'open') return beginBlob(sql, { totalLength: undefined, now });
  const id = source.kind === 'body' ? bodyIds[source.index] : reused.get(reuseKey(source.txId, source.name));
  return id as number;
}

const INSERT = `insert into transactions (${TX_COLUMNS.join(', ')}) values (${TX_COLUMNS.map(() => '?').join(', ')})`;

async function insertTransaction(
  sql: Sql,
  { row, attempts }: PlannedTransaction,
  blobs: readonly { readonly name: string; readonly id: number }[],
): Promise<void> {
  const writes: Promise<unknown>[] = [
    sql.run(
      INSERT,
      TX_COLUMNS.map((column) => row[column]),
    ),
  ];
  for (const attempt of attempts) writes.push(putAttempt(sql, row.id, attempt));
  for (const { name, id } of blobs) {
    writes.push(
      sql.run('insert into transaction_blobs (transaction_id, name, blob_id) values (?, ?, ?)', [row.id, name, id]),
      sql.run('update blobs set reference_count = reference_count + 1 where id = ?', [id]),
    );
  }
  await Promise.all(writes);
}

/** Writes an attempt, or what has become of it since. */
export function putAttempt(sql: Sql, txId: string, attempt: AttemptRow): Promise<number> {
  return sql.run(
    `insert into attempts (transaction_id, number, started_at, ended_at, replies) values (?, ?, ?, ?, ?)
      on conflict (transaction_id, number) do update
      set started_at = excluded.started_at, ended_at = excluded.ended_at, replies = excluded.replies`,
    [txId, attempt.number, attempt.started_at, attempt.ended_at, attempt.replies],
  );
}
