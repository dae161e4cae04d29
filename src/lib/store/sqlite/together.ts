/**
 * Runs the operations of a batch on SQLite. Its statements answer at once, so creates and outcomes, which are nearly all there is under load,
 * run without a promise; anything else is its verb. Statements and their order are those of the verbs.
 */
import { must } from '../../core/errors.ts';
import type { AttemptRow } from '../rows.ts';
import {
  attemptValues,
  type CreatePlan,
  countUses,
  firstInRow,
  INSERT_REFERENCE,
  INSERT_TRANSACTION,
  isInRow,
  mustBeThere,
  type PlannedBody,
  type PlannedTransaction,
  PUT_ATTEMPT,
  transactionValues,
  USE_WRITTEN,
} from '../sql/create-transactions.ts';
import { type Operation, writes } from '../sql/index.ts';
import {
  type OutcomeRow,
  outcomeValues,
  UPDATE_OUTCOME,
  UPDATE_WITH_FIRST,
  withFirstValues,
} from '../sql/record-outcome.ts';
import type { Sql, SqlAtOnce } from '../sql/sql.ts';
import { INSERT_BLOB, INSERT_CHUNK, INSERT_WHOLE, wholeOf, wholeValues } from '../sql/write-blob.ts';
import { BlobIds } from './blob-ids.ts';

/** Answers the result of each. Throws when one of them fails; which one it was is for `runBatch` to find out. */
export async function runTogether(
  sql: Sql,
  operations: readonly Operation[],
  ids = new BlobIds(),
): Promise<readonly unknown[]> {
  must(sql.atOnce !== undefined, 'SQLite answers at once');
  const results: unknown[] = [];
  let run = new Run(sql.atOnce, ids);
  for (const operation of operations) {
    const result = run.tryOne(operation);
    results.push(result ?? (await writes[operation.verb](sql, operation.args as never)));
    // What it has changed, sessions for one, is looked at again.
    if (result === undefined) run = new Run(sql.atOnce, ids);
  }
  return results;
}

/** For the batches of one file, one after the other: ids that were reserved in one serve the next. */
export function batchRunner(): (sql: Sql, operations: readonly Operation[]) => Promise<readonly unknown[]> {
  let ids = new BlobIds();
  return async (sql, operations) => {
    try {
      return await runTogether(sql, operations, ids);
    } catch (error) {
      // What it reserved is rolled back.
      ids = new BlobIds();
      throw error;
    }
  };
}

const SQLITE = { locks: 'database' } as const;
const CREATED = { kind: 'created' } as const;
const SESSION_DEAD = { kind: 'sessionDead' } as const;
const RECORDED = { kind: 'recorded' } as const;
const LEASE_LOST = { kind: 'leaseLost' } as const;

class Run {
  readonly #sql: SqlAtOnce;
  /** The session that was seen to be there. */
  #liveSession: number | undefined;

  /** Ids of blobs that are free; asked for when the first one is needed. */
  #hasIds = false;
  readonly #ids: BlobIds;

  constructor(sql: SqlAtOnce, ids: BlobIds) {
    this.#sql = sql;
    this.#ids = ids;
  }

  /** `undefined`, and nothing is done, for what is not of the usual kind. */
  tryOne(operation: Operation): object | undefined {
    if (operation.verb === 'createTransactions') return this.#create(operation.args as CreatePlan);
    if (operation.verb === 'recordOutcome') return this.#record(operation.args as OutcomeRow);
    return undefined;
  }

  #create(plan: CreatePlan): object | undefined {
    if (!isPlain(plan)) return undefined;
    if (!plan.transactions.every((tx) => this.#isLive(tx))) return SESSION_DEAD;
    const uses = countUses(plan);
    const blobIds = plan.bodies.map((body, i) => this.#body(body, uses[i] ?? 0, plan.now));
    for (const transaction of plan.transactions) this.#insert(transaction, blobIds);
    return CREATED;
  }

  #isLive({ row }: PlannedTransaction): boolean {
    const sessionId = row.lease_session_id;
    if (sessionId === null || sessionId === this.#liveSession) return true;
    if (this.#sql.all('select id from sessions where id = ?', [sessionId]).length === 0) return false;
    this.#liveSession = sessionId;
    return true;
  }

  #body(body: PlannedBody, uses: number, now: number): number {
    if (body.kind === 'written') {
      mustBeThere(this.#sql.run(USE_WRITTEN, [uses, body.blobId]));
      return body.blobId;
    }
    const id = this.#blobId();
    const content = wholeOf(SQLITE, body.chunks);
    if (content !== undefined) {
      this.#sql.run(INSERT_WHOLE, [id, ...wholeValues({ content, referenceCount: uses, now })]);
      return id;
    }
    this.#sql.run(INSERT_BLOB, [id, body.size, body.size, uses, now]);
    let at = 0;
    for (const chunk of body.chunks) {
      this.#sql.run(INSERT_CHUNK, [id, at, chunk]);
      at += chunk.byteLength;
    }
    return id;
  }

  #blobId(): number {
    if (!this.#hasIds) this.#ids.begin(this.#sql);
    this.#hasIds = true;
    return this.#ids.draw(this.#sql);
  }

  #insert({ row, attempts, blobs }: PlannedTransaction, blobIds: readonly number[]): void {
    let bodyBlobId: number | undefined;
    for (const { name, source } of blobs) {
      if (source.kind === 'body' && isInRow(SQLITE, name)) bodyBlobId = blobIds[source.index];
    }
    const first = firstInRow(SQLITE, attempts);
    this.#sql.run(INSERT_TRANSACTION, transactionValues(row, bodyBlobId, first));
    for (const attempt of attempts) if (attempt !== first) this.#putAttempt(row.id, attempt);
    for (const { name, source } of blobs) {
      if (source.kind !== 'body' || isInRow(SQLITE, name)) continue;
      this.#sql.run(INSERT_REFERENCE, [row.id, name, blobIds[source.index] as number]);
    }
  }

  #record(outcome: OutcomeRow): object | undefined {
    const { spawn, next, txId, attempt } = outcome;
    const isPlainEnd = next.final_outcome !== null && spawn.transactions.length === 0 && spawn.bodies.length === 0;
    if (!isPlainEnd) return undefined;
    if (attempt.number === 1 && this.#sql.run(UPDATE_WITH_FIRST, withFirstValues(outcome)) === 1) return RECORDED;
    if (this.#sql.run(UPDATE_OUTCOME, outcomeValues(outcome)) === 0) return LEASE_LOST;
    this.#putAttempt(txId, attempt);
    return RECORDED;
  }

  #putAttempt(txId: string, attempt: AttemptRow): void {
    this.#sql.run(PUT_ATTEMPT, attemptValues(txId, attempt));
  }
}

/** All bytes are there, and no blob is shared with what was stored before. */
function isPlain({ transactions }: CreatePlan): boolean {
  return transactions.every(({ blobs }) => blobs.every(({ source }) => source.kind === 'body'));
}
