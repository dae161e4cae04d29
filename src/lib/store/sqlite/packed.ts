/**
 * A batch on its way to the writer thread: what creates and outcomes consist of as one flat list, and all their bytes as one piece of memory
 * that is handed over. Cloning the same as objects costs both threads several times as much, and they are nearly all there is under load.
 *
 * A body comes out of it in as few pieces as it may be stored in, however many it went in as: each is a row.
 */
import { limits } from '../../core/limits.ts';
import type { BatchResult, Settled } from '../batch.ts';
import { ATTEMPT_COLUMNS, type AttemptRow, NEW_TX_COLUMNS, type NewTxRow } from '../rows.ts';
import type { CreatePlan, PlannedBody, PlannedSource, PlannedTransaction } from '../sql/create-transactions.ts';
import type { Operation } from '../sql/index.ts';
import type { OutcomeRow } from '../sql/record-outcome.ts';

type Value = string | number | null;

export interface PackedBatch {
  readonly values: readonly Value[];
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The operations that travel as they are, in their order. */
  readonly others: readonly Operation[];
}

/** The bytes are put into `memory`, that of a batch which is over, where it is large enough. */
export function packBatch(operations: readonly Operation[], memory?: ArrayBuffer): PackedBatch {
  const packer = new Packer();
  for (const operation of operations) packer.operation(operation);
  return packer.batch(memory);
}

const PAGE_BYTES = 4096;
/** Pages of inner and outer ends of indexes that change with any batch; and how much of it fills another. */
const BATCH_PAGES = 16;
const VALUES_PER_PAGE = 50;
const ROOM_STEP_BYTES = 65_536;

/** How many pages of the database a batch changes, roughly. */
export function loggedPages({ values, bytes, others }: PackedBatch): number {
  return BATCH_PAGES + others.length + values.length / VALUES_PER_PAGE + bytes.length / PAGE_BYTES;
}

/** Some more than is needed, so that the next batches find room in it, too. */
function roomFor(sizeBytes: number): number {
  return Math.ceil(sizeBytes / ROOM_STEP_BYTES) * ROOM_STEP_BYTES;
}

export function unpackBatch(batch: PackedBatch): Operation[] {
  return new Unpacker(batch).operations();
}

class Packer {
  readonly #values: Value[] = [];
  readonly #others: Operation[] = [];
  readonly #chunks: Uint8Array[] = [];
  #sizeBytes = 0;

  operation(operation: Operation): void {
    const { verb } = operation;
    if (verb === 'createTransactions') {
      this.#values.push(verb);
      this.#create(operation.args as CreatePlan);
    } else if (verb === 'recordOutcome') {
      this.#values.push(verb);
      this.#outcome(operation.args as OutcomeRow);
    } else {
      this.#values.push(null);
      this.#others.push(operation);
    }
  }

  batch(memory: ArrayBuffer | undefined): PackedBatch {
    const sizeBytes = this.#sizeBytes;
    const isEnough = memory !== undefined && memory.byteLength >= sizeBytes;
    const bytes = new Uint8Array(isEnough ? memory : new ArrayBuffer(roomFor(sizeBytes)), 0, sizeBytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return { values: this.#values, bytes, others: this.#others };
  }

  #create({ bodies, transactions, now }: CreatePlan): void {
    this.#values.push(now, bodies.length, transactions.length);
    for (const body of bodies) this.#body(body);
    for (const transaction of transactions) this.#transaction(transaction);
  }

  #body(body: PlannedBody): void {
    if (body.kind === 'written') {
      this.#values.push(body.blobId, null);
      return;
    }
    this.#values.push(body.size, 'inline');
    for (const chunk of body.chunks) {
      this.#chunks.push(chunk);
      this.#sizeBytes += chunk.byteLength;
    }
  }

  #transaction({ row, attempts, blobs }: PlannedTransaction): void {
    const values = this.#values;
    for (const column of NEW_TX_COLUMNS) values.push(row[column]);
    values.push(attempts.length, blobs.length);
    for (const attempt of attempts) this.#attempt(attempt);
    for (const { name, source } of blobs) {
      if (source.kind === 'body') values.push(name, source.index);
      else if (source.kind === 'open') values.push(name, null);
      else values.push(name, source.txId, source.name);
    }
  }

  #attempt(attempt: AttemptRow): void {
    for (const column of ATTEMPT_COLUMNS) this.#values.push(attempt[column]);
  }

  #outcome({ txId, sessionId, attempt, filterOutput, next, version, spawn }: OutcomeRow): void {
    const { final_outcome, final_text, next_attempt_at, lease_session_id, uncertain } = next;
    this.#values.push(txId, sessionId, filterOutput, version);
    this.#values.push(final_outcome, final_text, next_attempt_at, lease_session_id, uncertain);
    this.#attempt(attempt);
    this.#create(spawn);
  }
}

class Unpacker {
  readonly #batch: PackedBatch;
  #at = 0;
  #bytesAt = 0;

  constructor(batch: PackedBatch) {
    this.#batch = batch;
  }

  operations(): Operation[] {
    const { values, others } = this.#batch;
    const operations: Operation[] = [];
    for (let other = 0; this.#at < values.length; ) {
      const verb = this.#next<'createTransactions' | 'recordOutcome' | null>();
      if (verb === 'createTransactions') operations.push({ verb, args: this.#create() });
      else if (verb === 'recordOutcome') operations.push({ verb, args: this.#outcome() });
      else operations.push(others[other++] as Operation);
    }
    return operations;
  }

  #next<T extends Value>(): T {
    return this.#batch.values[this.#at++] as T;
  }

  #create(): CreatePlan {
    const now = this.#next<number>();
    const bodyCount = this.#next<number>();
    const count = this.#next<number>();
    const bodies: PlannedBody[] = [];
    for (let i = 0; i < bodyCount; i += 1) bodies.push(this.#body());
    const transactions: PlannedTransaction[] = [];
    for (let i = 0; i < count; i += 1) transactions.push(this.#transaction());
    return { bodies, transactions, now };
  }

  #body(): PlannedBody {
    const number = this.#next<number>();
    if (this.#next<'inline' | null>() === null) return { kind: 'written', blobId: number };
    const chunks: Uint8Array[] = [];
    const end = this.#bytesAt + number;
    while (this.#bytesAt < end) {
      const next = Math.min(end, this.#bytesAt + limits.blobChunkBytes);
      chunks.push(this.#batch.bytes.subarray(this.#bytesAt, next));
      this.#bytesAt = next;
    }
    return { kind: 'inline', size: number, chunks };
  }

  #transaction(): PlannedTransaction {
    const row = this.#row();
    const attemptCount = this.#next<number>();
    const blobCount = this.#next<number>();
    const attempts: AttemptRow[] = [];
    for (let i = 0; i < attemptCount; i += 1) attempts.push(this.#attempt());
    const blobs: PlannedTransaction['blobs'][number][] = [];
    for (let i = 0; i < blobCount; i += 1) blobs.push({ name: this.#next<string>(), source: this.#source() });
    return { row, attempts, blobs };
  }

  #source(): PlannedSource {
    const value = this.#next();
    if (value === null) return { kind: 'open' };
    if (typeof value === 'number') return { kind: 'body', index: value };
    return { kind: 'reuse', txId: value, name: this.#next<string>() };
  }

  /** In the order of `NEW_TX_COLUMNS`. */
  #row(): NewTxRow {
    return {
      id: this.#next<string>(),
      sender: this.#next<string>(),
      tag: this.#next<string | null>(),
      parent_id: this.#next<string | null>(),
      origin: this.#next<string>(),
      mail_from: this.#next<string | null>(),
      rcpt_to: this.#next<string>(),
      message_builder: this.#next<string | null>(),
      filter_output: this.#next<string>(),
      retry: this.#next<number>(),
      notification: this.#next<number>(),
      created_at: this.#next<number>(),
      updated_at: this.#next<number>(),
      version: this.#next<number>(),
      input_done: this.#next<number>(),
      cancelled: this.#next<number>(),
      final_outcome: this.#next<string | null>(),
      final_text: this.#next<string | null>(),
      next_attempt_at: this.#next<number | null>(),
      lease_session_id: this.#next<number | null>(),
      uncertain: this.#next<number>(),
      rcpt_address: this.#next<string | null>(),
      rcpt_domain: this.#next<string | null>(),
      mail_from_address: this.#next<string | null>(),
    };
  }

  /** In the order of `ATTEMPT_COLUMNS`. */
  #attempt(): AttemptRow {
    return {
      number: this.#next<number>(),
      started_at: this.#next<number>(),
      ended_at: this.#next<number | null>(),
      replies: this.#next<string>(),
      hosts: this.#next<string | null>(),
      dot_sent_at: this.#next<number | null>(),
    };
  }

  #outcome(): OutcomeRow {
    return {
      txId: this.#next<string>(),
      sessionId: this.#next<number>(),
      filterOutput: this.#next<string>(),
      version: this.#next<number>(),
      next: {
        final_outcome: this.#next<string | null>(),
        final_text: this.#next<string | null>(),
        next_attempt_at: this.#next<number | null>(),
        lease_session_id: this.#next<number | null>(),
        uncertain: this.#next<number>(),
      },
      attempt: this.#attempt(),
      spawn: this.#create(),
    };
  }
}

/** What a batch led to; the two usual results as a word. */
export interface PackedResult {
  readonly results: readonly (Settled | 'created' | 'recorded')[];
  readonly changed: boolean;
}

const CREATED: Settled = { kind: 'done', value: { kind: 'created' } };
const RECORDED: Settled = { kind: 'done', value: { kind: 'recorded' } };

export function packResult({ results, changed }: BatchResult): PackedResult {
  return { results: results.map(packSettled), changed };
}

function packSettled(settled: Settled): Settled | 'created' | 'recorded' {
  const { value } = settled as { readonly value?: { readonly kind?: unknown } | null };
  const kind = settled.kind === 'done' && typeof value === 'object' ? value?.kind : undefined;
  return kind === 'created' || kind === 'recorded' ? kind : settled;
}

export function unpackResult({ results, changed }: PackedResult): BatchResult {
  const unpack = (packed: PackedResult['results'][number]): Settled => {
    if (packed === 'created') return CREATED;
    return packed === 'recorded' ? RECORDED : packed;
  };
  return { results: results.map(unpack), changed };
}
