/**
 * A batch on its way to the writer thread: the rows that creates, outcomes and history consist of, and all their bytes, as one piece of memory that is
 * handed over. Cloning the same as objects costs both threads several times as much, and they are nearly all there is under load.
 *
 * A body comes out of it in as few pieces as it may be stored in, however many it went in as: each is a row.
 */
import { limits } from '../../core/limits.ts';
import type { BatchResult, Settled } from '../batch.ts';
import { RowReader, RowWriter } from '../packed-rows.ts';
import { packAttempt, packTransaction, unpackAttempt, unpackTransaction } from '../packed-transaction.ts';
import type { CreatePlan, PlannedBody, PlannedTransaction } from '../sql/create-transactions.ts';
import type { Operation } from '../sql/index.ts';
import type { OutcomeRow } from '../sql/record-outcome.ts';
import type { HistoryRows } from '../sql/write-history.ts';

/** The memory of a batch. */
export interface PackedBatch {
  /** Numbers, then texts, then bodies. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many numbers there are. */
  readonly numbers: number;
  readonly textBytes: number;
  /** The operations that travel as they are, in their order. */
  readonly others: readonly Operation[];
}

const CREATE = 1;
const OUTCOME = 2;
const HISTORY = 3;
const OTHER = 4;

const INLINE = 1;
const WRITTEN = 2;

const NUMBER_BYTES = Float64Array.BYTES_PER_ELEMENT;
const PAGE_BYTES = 4096;
/** Pages of inner and outer ends of indexes that change with any batch; and how much of it fills another. */
const BATCH_PAGES = 16;
const NUMBERS_PER_PAGE = 50;
const ROOM_STEP_BYTES = 65_536;

/** How many pages of the database a batch changes, roughly; `undefined` when it has operations that may change any number. */
export function loggedPages({ bytes, numbers, textBytes, others }: PackedBatch): number | undefined {
  if (others.length > 0) return undefined;
  const bodyBytes = bytes.length - numbers * NUMBER_BYTES - textBytes;
  return BATCH_PAGES + numbers / NUMBERS_PER_PAGE + bodyBytes / PAGE_BYTES;
}

/** Some more than is needed, so that the next batches find room in it, too. */
function roomFor(sizeBytes: number): number {
  return Math.ceil(sizeBytes / ROOM_STEP_BYTES) * ROOM_STEP_BYTES;
}

/** What rows are written to before it is known how much memory they need: one for all, because a batch is packed in one go. */
const scratch = new RowWriter();

/** The rows and bytes are put into `memory`, that of a batch which is over, where it is large enough. */
export function packBatch(operations: readonly Operation[], memory?: ArrayBuffer): PackedBatch {
  scratch.clear();
  const packer = new Packer(scratch);
  for (const operation of operations) packer.operation(operation);
  return packer.batch(memory);
}

export function unpackBatch(batch: PackedBatch): Operation[] {
  return new Unpacker(batch).operations();
}

class Packer {
  readonly #rows: RowWriter;
  readonly #others: Operation[] = [];
  readonly #chunks: Uint8Array[] = [];
  #bodyBytes = 0;

  constructor(rows: RowWriter) {
    this.#rows = rows;
  }

  /** Each is a row, those of its transactions included. */
  operation(operation: Operation): void {
    this.#rows.begin();
    const history = this.#content(operation);
    this.#rows.end();
    if (history !== undefined) this.#rows.append(history.packed);
  }

  /** Answers the history it has, which is in rows already. */
  #content(operation: Operation): HistoryRows | undefined {
    const { verb } = operation;
    if (verb === 'createTransactions') {
      this.#rows.number(CREATE);
      this.#create(operation.args as CreatePlan);
    } else if (verb === 'recordOutcome') {
      this.#rows.number(OUTCOME);
      this.#outcome(operation.args as OutcomeRow);
    } else if (verb === 'writeHistory') {
      const history = operation.args as HistoryRows;
      this.#rows.number(HISTORY);
      this.#rows.number(history.count);
      return history;
    } else {
      this.#rows.number(OTHER);
      this.#others.push(operation);
    }
    return undefined;
  }

  batch(memory: ArrayBuffer | undefined): PackedBatch {
    const { numbers, text } = this.#rows.rows;
    const bodiesAt = numbers.byteLength + text.length;
    const sizeBytes = bodiesAt + this.#bodyBytes;
    const isEnough = memory !== undefined && memory.byteLength >= sizeBytes;
    const bytes = new Uint8Array(isEnough ? memory : new ArrayBuffer(roomFor(sizeBytes)), 0, sizeBytes);
    new Float64Array(bytes.buffer).set(numbers);
    bytes.set(text, numbers.byteLength);
    let at = bodiesAt;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return { bytes, numbers: numbers.length, textBytes: text.length, others: this.#others };
  }

  #create({ bodies, transactions, now }: CreatePlan): void {
    this.#rows.number(now);
    this.#rows.number(bodies.length);
    for (const body of bodies) this.#body(body);
    this.#rows.number(transactions.length);
    for (const transaction of transactions) packTransaction(this.#rows, transaction);
  }

  #body(body: PlannedBody): void {
    if (body.kind === 'written') {
      this.#rows.number(WRITTEN);
      this.#rows.number(body.blobId);
      return;
    }
    this.#rows.number(INLINE);
    this.#rows.number(body.size);
    for (const chunk of body.chunks) {
      this.#chunks.push(chunk);
      this.#bodyBytes += chunk.byteLength;
    }
  }

  #outcome({ txId, sessionId, attempt, filterOutput, next, version, spawn }: OutcomeRow): void {
    const rows = this.#rows;
    rows.text(txId);
    rows.number(sessionId);
    rows.text(filterOutput);
    rows.number(version);
    rows.text(next.final_outcome);
    rows.text(next.final_text);
    rows.number(next.next_attempt_at);
    rows.number(next.lease_session_id);
    rows.number(next.uncertain);
    packAttempt(rows, attempt);
    this.#create(spawn);
  }
}

class Unpacker {
  readonly #rows: RowReader;
  readonly #others: readonly Operation[];
  readonly #bytes: Uint8Array;
  #bodiesAt: number;

  constructor({ bytes, numbers, textBytes, others }: PackedBatch) {
    const textAt = numbers * NUMBER_BYTES;
    this.#bytes = bytes;
    this.#bodiesAt = textAt + textBytes;
    this.#rows = new RowReader({
      numbers: new Float64Array(bytes.buffer, 0, numbers),
      text: bytes.subarray(textAt, this.#bodiesAt),
    });
    this.#others = others;
  }

  operations(): Operation[] {
    const operations: Operation[] = [];
    for (let other = 0; !this.#rows.isAtEnd; ) {
      this.#rows.begin();
      const kind = this.#rows.number();
      if (kind === CREATE) operations.push({ verb: 'createTransactions', args: this.#create() });
      else if (kind === OUTCOME) operations.push({ verb: 'recordOutcome', args: this.#outcome() });
      else if (kind === HISTORY) operations.push({ verb: 'createTransactions', args: this.#history() });
      else operations.push(this.#others[other++] as Operation);
    }
    return operations;
  }

  #create(): CreatePlan {
    const now = this.#rows.number();
    const bodies: PlannedBody[] = [];
    for (let left = this.#rows.number(); left > 0; left -= 1) bodies.push(this.#body());
    const transactions: PlannedTransaction[] = [];
    for (let left = this.#rows.number(); left > 0; left -= 1) transactions.push(unpackTransaction(this.#rows));
    return { bodies, transactions, now };
  }

  #body(): PlannedBody {
    const isWritten = this.#rows.number() === WRITTEN;
    const number = this.#rows.number();
    if (isWritten) return { kind: 'written', blobId: number };
    const chunks: Uint8Array[] = [];
    const end = this.#bodiesAt + number;
    while (this.#bodiesAt < end) {
      const next = Math.min(end, this.#bodiesAt + limits.blobChunkBytes);
      chunks.push(this.#bytes.subarray(this.#bodiesAt, next));
      this.#bodiesAt = next;
    }
    return { kind: 'inline', size: number, chunks };
  }

  /** To be written as any other transactions: one create for all of them. */
  #history(): CreatePlan {
    const transactions: PlannedTransaction[] = [];
    for (let left = this.#rows.number(); left > 0; left -= 1) {
      this.#rows.begin();
      transactions.push(unpackTransaction(this.#rows));
    }
    return { bodies: [], transactions, now: 0 };
  }

  #outcome(): OutcomeRow {
    const rows = this.#rows;
    return {
      txId: rows.text(),
      sessionId: rows.number(),
      filterOutput: rows.text(),
      version: rows.number(),
      next: {
        final_outcome: rows.textOrNull(),
        final_text: rows.textOrNull(),
        next_attempt_at: rows.numberOrNull(),
        lease_session_id: rows.numberOrNull(),
        uncertain: rows.number(),
      },
      attempt: unpackAttempt(rows),
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
