/**
 * The creates of a batch as one statement. Rows travel as JSON, which costs both sides less than a statement for each; bodies travel as one
 * string of bytes, of which each row takes its part. Ids of blobs are drawn in the statement itself, so that nothing waits for an answer.
 */
import { ATTEMPT_COLUMNS, NEW_TX_COLUMNS } from '../rows.ts';
import type { CreatePlan, PlannedBody } from '../sql/create-transactions.ts';
import type { Sql } from '../sql/sql.ts';

/** Whether a create is only inserts. What shares a blob, or uses one that was written before, has to lock and count it: it runs by itself. */
export function isOnlyInserts({ bodies, transactions }: CreatePlan): boolean {
  return (
    bodies.every(({ kind }) => kind === 'inline') &&
    transactions.every(({ blobs }) => blobs.every(({ source }) => source.kind !== 'reuse'))
  );
}

const TX = NEW_TX_COLUMNS.join(', ');
const ATTEMPT = `transaction_id, ${ATTEMPT_COLUMNS.join(', ')}`;

/** References are checked at the end of the statement, so the order of its parts does not matter. */
const INSERT = `with
  blob as materialized (
    select nextval('blobs_id_seq') as id, n, length, total_length, reference_count, touched_at from json_to_recordset(?::json)
      as b(n integer, length bigint, total_length bigint, reference_count integer, touched_at bigint)),
  new_blobs as (
    insert into blobs (id, length, total_length, reference_count, touched_at) overriding system value
      select id, length, total_length, reference_count, touched_at from blob),
  new_chunks as (
    insert into blob_chunks (blob_id, start_offset, content)
      select blob.id, start_offset, substring(?::bytea from first for size) from blob join json_to_recordset(?::json)
        as c(n integer, start_offset bigint, first integer, size integer) using (n)),
  new_references as (
    insert into transaction_blobs (transaction_id, name, blob_id)
      select transaction_id, name, blob.id from blob join json_to_recordset(?::json)
        as r(n integer, transaction_id text, name text) using (n)),
  new_attempts as (
    insert into attempts (${ATTEMPT}) select ${ATTEMPT} from json_populate_recordset(null::attempts, ?::json))
  insert into transactions (${TX}) select ${TX} from json_populate_recordset(null::transactions, ?::json)`;

/** The same of a create without bytes or blobs, as the history of what was not stored is. */
const INSERT_BARE = `with
  new_attempts as (
    insert into attempts (${ATTEMPT}) select ${ATTEMPT} from json_populate_recordset(null::attempts, ?::json))
  insert into transactions (${TX}) select ${TX} from json_populate_recordset(null::transactions, ?::json)`;

/** Throws when one of them cannot be created, a lease of a dead session among the reasons: then none is. */
export async function createTogether(sql: Sql, plans: readonly CreatePlan[]): Promise<void> {
  const rows = new Rows();
  for (const plan of plans) rows.add(plan);
  const transactions = [JSON.stringify(rows.attempts), JSON.stringify(rows.transactions)];
  if (rows.blobs.length === 0) {
    await sql.run(INSERT_BARE, transactions);
    return;
  }
  const blobs = [
    JSON.stringify(rows.blobs),
    Buffer.concat(rows.bytes),
    JSON.stringify(rows.chunks),
    JSON.stringify(rows.references),
  ];
  await sql.run(INSERT, [...blobs, ...transactions]);
}

interface BlobRow {
  /** What the statement knows it by; its id is drawn later. */
  readonly n: number;
  readonly length: number;
  readonly total_length: number | null;
  reference_count: number;
  readonly touched_at: number;
}

/** What is to be inserted into each table. */
class Rows {
  readonly transactions: object[] = [];
  readonly attempts: object[] = [];
  readonly references: object[] = [];
  readonly blobs: BlobRow[] = [];
  readonly chunks: object[] = [];
  readonly bytes: Uint8Array[] = [];
  /** Bytes so far; SQL counts them from 1. */
  #sizeBytes = 0;

  add({ bodies, transactions, now }: CreatePlan): void {
    const stored = bodies.map((body) => this.#body(body, now));
    for (const { row, attempts, blobs } of transactions) {
      this.transactions.push(row);
      for (const attempt of attempts) this.attempts.push({ transaction_id: row.id, ...attempt });
      for (const { name, source } of blobs) {
        const blob = source.kind === 'body' ? (stored[source.index] as BlobRow) : this.#blob(0, null, now);
        blob.reference_count += 1;
        this.references.push({ n: blob.n, transaction_id: row.id, name });
      }
    }
  }

  #body(body: PlannedBody, now: number): BlobRow {
    const chunks = body.kind === 'inline' ? body.chunks : [];
    const first = this.#sizeBytes;
    const n = this.blobs.length;
    for (const chunk of chunks) {
      const at = this.#sizeBytes;
      this.chunks.push({ n, start_offset: at - first, first: at + 1, size: chunk.byteLength });
      this.bytes.push(chunk);
      this.#sizeBytes += chunk.byteLength;
    }
    const sizeBytes = this.#sizeBytes - first;
    return this.#blob(sizeBytes, sizeBytes, now);
  }

  #blob(length: number, total: number | null, now: number): BlobRow {
    const blob = { n: this.blobs.length, length, total_length: total, reference_count: 0, touched_at: now };
    this.blobs.push(blob);
    return blob;
  }
}
