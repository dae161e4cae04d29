/** Creates transactions with their attempts and blobs, all or none. Notifications of an outcome are created by the same statements. */
import { must } from '../../core/errors.ts';
import { FIRST_ATTEMPT_COLUMNS } from '../first-attempt.ts';
import { type AttemptRow, NEW_TX_COLUMNS, type NewTxRow } from '../rows.ts';
import { BODY_BLOB } from '../store.ts';
import { isCompact, keepRows, lockRows, type Sql, type SqlValue } from './sql.ts';
import { beginBlob, insertChunks, insertWhole, wholeOf } from './write-blob.ts';

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
  readonly row: NewTxRow;
  readonly attempts: readonly AttemptRow[];
  readonly blobs: readonly NamedBlob[];
}

export interface NamedBlob {
  readonly name: string;
  readonly source: PlannedSource;
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

const reuseKey = (sender: string, txId: string, name: string): string => `${txId} ${name} ${sender}`;

/**
 * Finds the blobs to be shared and keeps them from being collected; writes nothing, so that a refusal leaves nothing behind. A sender only
 * shares with itself: what is another's is missing.
 */
export async function lockReused(
  sql: Sql,
  plan: CreatePlan,
): Promise<ReusedBlobs | Extract<CreateResult, { kind: 'reuse' }>> {
  const found: ReusedBlobs = new Map();
  for (const { sender, source } of plan.transactions.flatMap(({ row, blobs }) =>
    blobs.map(({ source }) => ({ sender: row.sender, source })),
  )) {
    if (source.kind !== 'reuse' || found.has(reuseKey(sender, source.txId, source.name))) continue;
    const rows = await sql.all<{ id: number; length: number; total_length: number | null }>(
      `select b.id, b.length, b.total_length from blob_references r join blobs b on b.id = r.blob_id
        join transactions t on t.id = r.transaction_id
        where r.transaction_id = ? and r.name = ? and t.sender = ?${lockRows(sql, 'b')}`,
      [source.txId, source.name, sender],
    );
    const blob = rows[0];
    if (blob === undefined) return { ...source, reason: 'missing' };
    if (blob.length !== blob.total_length) return { ...source, reason: 'unfinished' };
    found.set(reuseKey(sender, source.txId, source.name), blob.id);
  }
  return found;
}

/** What does not depend on an answer is sent without waiting for one: on PostgreSQL a create takes three round trips. */
export async function insertPlanned(sql: Sql, plan: CreatePlan, reused: ReusedBlobs): Promise<void> {
  const uses = countUses(plan);
  const bodyIds = await Promise.all(plan.bodies.map((body, i) => beginBody(sql, body, uses[i] ?? 0, plan.now)));
  const blobIds = await Promise.all(
    plan.transactions.map(({ row, blobs }) =>
      Promise.all(
        blobs.map(({ source }) =>
          source.kind === 'reuse'
            ? shareBlob(sql, reused.get(reuseKey(row.sender, source.txId, source.name)) as number)
            : blobId(sql, source, bodyIds, plan.now),
        ),
      ),
    ),
  );
  await Promise.all([
    ...plan.bodies.map((body, i) =>
      body.kind === 'inline' && wholeOf(sql, body.chunks) === undefined
        ? insertChunks(sql, bodyIds[i] as number, 0, body.chunks)
        : undefined,
    ),
    ...plan.transactions.map((tx, i) => insertTransaction(sql, tx, blobIds[i] ?? [])),
  ]);
}

/** How many of the new transactions' blobs each body is. */
export function countUses(plan: CreatePlan): readonly number[] {
  const uses = plan.bodies.map(() => 0);
  for (const { source } of plan.transactions.flatMap(({ blobs }) => blobs)) {
    if (source.kind === 'body') uses[source.index] = (uses[source.index] ?? 0) + 1;
  }
  return uses;
}

async function beginBody(sql: Sql, body: PlannedBody, uses: number, now: number): Promise<number> {
  if (body.kind === 'inline') {
    const content = wholeOf(sql, body.chunks);
    if (content !== undefined) return insertWhole(sql, { content, referenceCount: uses, now });
    return beginBlob(sql, { length: body.size, totalLength: body.size, referenceCount: uses, now });
  }
  mustBeThere(await sql.run(USE_WRITTEN, [uses, body.blobId]));
  return body.blobId;
}

export const USE_WRITTEN = 'update blobs set reference_count = ? where id = ?';

/** A body that was written before is garbage until it is used, and too late when it was collected. */
export function mustBeThere(used: number): void {
  must(used === 1, 'a body that was written before is still there');
}

async function blobId(
  sql: Sql,
  source: Exclude<PlannedSource, { kind: 'reuse' }>,
  bodyIds: readonly number[],
  now: number,
): Promise<number> {
  if (source.kind === 'body') return bodyIds[source.index] as number;
  return beginBlob(sql, { length: 0, totalLength: undefined, referenceCount: 1, now });
}

async function shareBlob(sql: Sql, id: number): Promise<number> {
  await sql.run('update blobs set reference_count = reference_count + 1 where id = ?', [id]);
  return id;
}

const INSERTED = [...NEW_TX_COLUMNS, 'body_blob_id', ...FIRST_ATTEMPT_COLUMNS];
export const INSERT_TRANSACTION = `insert into transactions (${INSERTED.join(', ')}) values (${INSERTED.map(() => '?').join(', ')})`;
export const INSERT_REFERENCE = 'insert into transaction_blobs (transaction_id, name, blob_id) values (?, ?, ?)';

async function insertTransaction(
  sql: Sql,
  { row, attempts, blobs }: PlannedTransaction,
  blobIds: readonly number[],
): Promise<void> {
  const refers = ({ name }: NamedBlob, i: number): Promise<number> | undefined =>
    isInRow(sql, name) ? undefined : sql.run(INSERT_REFERENCE, [row.id, name, blobIds[i] as number]);
  const first = firstInRow(sql, attempts);
  const others = attempts.filter((attempt) => attempt !== first);
  const bodyBlobId = blobIds[blobs.findIndex(({ name }) => isInRow(sql, name))];
  await Promise.all([
    sql.run(INSERT_TRANSACTION, transactionValues(row, bodyBlobId, first)),
    ...others.map((attempt) => putAttempt(sql, row.id, attempt)),
    ...blobs.map(refers),
  ]);
}

/** Whether a transaction refers to its blob of this name in its own row. */
export function isInRow(sql: Pick<Sql, 'locks'>, name: string): boolean {
  return name === BODY_BLOB && isCompact(sql);
}

/** That of the attempts of a new transaction which is in its own row. */
export function firstInRow(sql: Pick<Sql, 'locks'>, attempts: readonly AttemptRow[]): AttemptRow | undefined {
  return attempts[0]?.number === 1 && isCompact(sql) ? attempts[0] : undefined;
}

/** For `INSERT_TRANSACTION`. */
export function transactionValues(
  row: NewTxRow,
  bodyBlobId: number | undefined,
  first: AttemptRow | undefined,
): readonly SqlValue[] {
  const values: SqlValue[] = NEW_TX_COLUMNS.map((column) => row[column]);
  values.push(bodyBlobId ?? null, ...firstAttemptValues(first));
  return values;
}

const NO_ATTEMPT: readonly SqlValue[] = FIRST_ATTEMPT_COLUMNS.map(() => null);

/** In the order of `FIRST_ATTEMPT_COLUMNS`. */
export function firstAttemptValues(attempt: AttemptRow | undefined): readonly SqlValue[] {
  if (attempt === undefined) return NO_ATTEMPT;
  const { started_at, ended_at, replies, hosts, dot_sent_at } = attempt;
  return [started_at, ended_at, replies, hosts, dot_sent_at];
}

export const PUT_ATTEMPT = `insert into attempts (transaction_id, number, started_at, ended_at, replies, hosts, dot_sent_at)
  values (?, ?, ?, ?, ?, ?, ?)
  on conflict (transaction_id, number) do update
  set started_at = excluded.started_at, ended_at = excluded.ended_at, replies = excluded.replies, hosts = excluded.hosts,
    dot_sent_at = excluded.dot_sent_at`;

/** Writes an attempt, or what has become of it since. */
export function putAttempt(sql: Sql, txId: string, attempt: AttemptRow): Promise<number> {
  return sql.run(PUT_ATTEMPT, attemptValues(txId, attempt));
}

export function attemptValues(txId: string, attempt: AttemptRow): readonly SqlValue[] {
  const { number, started_at, ended_at, replies, hosts, dot_sent_at } = attempt;
  return [txId, number, started_at, ended_at, replies, hosts, dot_sent_at];
}
