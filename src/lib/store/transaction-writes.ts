/**
 * Creates, outcomes and lines of history: nearly all that is written. Each is planned as rows at once, where its bytes are in memory, and costs
 * one promise, or none when nobody waits.
 */
import type { Clock, Log } from '../core/deps.ts';
import { LeaseLostError } from '../core/errors.ts';
import type { BodyFiles } from './body-files.ts';
import type { GroupCommit } from './group-commit.ts';
import { History } from './history.ts';
import type { LeaseWrites } from './lease-writes.ts';
import { giveBack, type Planned, planAtOnce, planCreate } from './plan.ts';
import { attemptRow, filterOutputText, newTxRow, nextColumns } from './rows.ts';
import type { CreateResult } from './sql/create-transactions.ts';
import type { OutcomeResult, OutcomeRow } from './sql/record-outcome.ts';
import { BlobReuseError, type HistoryLine, type NewTransaction, type Outcome } from './store.ts';

export interface TransactionWritesOptions {
  readonly group: GroupCommit;
  readonly clock: Clock;
  readonly log: Log;
  /** Where large bodies go, when not into the database. */
  readonly files: BodyFiles | undefined;
  readonly leaseWrites: LeaseWrites;
}

export class TransactionWrites {
  readonly #options: TransactionWritesOptions;
  readonly #history: History;

  constructor(options: TransactionWritesOptions) {
    this.#options = options;
    this.#history = new History(options.group, options.clock, options.log);
  }

  get historyBacklog(): number {
    return this.#history.backlog;
  }

  create(transactions: readonly NewTransaction[], sessionId: number | undefined, now: number): Promise<void> {
    const isLeased = transactions.some(({ next }) => next.kind === 'leased');
    if (isLeased && sessionId === undefined) return Promise.reject(noSession());
    const planned = this.#plan(transactions, sessionId, now);
    if (planned instanceof Promise) return planned.then((plan) => withFiles(plan, () => this.#create(plan, isLeased)));
    return this.#create(planned, isLeased);
  }

  #create(planned: Planned, isLeased: boolean): Promise<void> {
    const { plan, sizeBytes } = planned;
    const { leaseWrites } = this.#options;
    const era = isLeased ? leaseWrites.begun() : undefined;
    return new Promise((resolve, reject) => {
      const settle = (refusal: Error | undefined): void => {
        giveBack(planned);
        if (era !== undefined) leaseWrites.ended(era);
        if (refusal === undefined) resolve();
        else reject(refusal);
      };
      this.#options.group.enter({
        operation: { verb: 'createTransactions', args: plan },
        sizeBytes,
        resolve: (result) => settle(refusalOf(result as CreateResult)),
        reject: settle,
      });
    });
  }

  recordOutcome(outcome: Outcome, sessionId: number | undefined, now: number): Promise<void> {
    if (sessionId === undefined) return Promise.reject(noSession());
    const planned = this.#plan(outcome.spawn, sessionId, now);
    if (planned instanceof Promise)
      return planned.then((plan) => withFiles(plan, () => this.#record(outcome, sessionId, plan)));
    return this.#record(outcome, sessionId, planned);
  }

  #record(outcome: Outcome, sessionId: number, planned: Planned): Promise<void> {
    const { plan, sizeBytes } = planned;
    const args: OutcomeRow = {
      txId: outcome.id,
      sessionId,
      attempt: attemptRow(outcome.attempt),
      filterOutput: filterOutputText(outcome.filterOutput),
      next: nextColumns(outcome.next, null),
      version: outcome.version,
      spawn: plan,
    };
    return new Promise((resolve, reject) => {
      const settle = (result: OutcomeResult): void => {
        const refusal = result.kind === 'leaseLost' ? notLeased(outcome.id) : refusalOf(result);
        if (refusal === undefined) resolve();
        else reject(refusal);
      };
      this.#options.group.enter({
        operation: { verb: outcome.isAgain === true ? 'recordAgain' : 'recordOutcome', args },
        sizeBytes,
        resolve: (result) => {
          giveBack(planned);
          settle(result as OutcomeResult);
        },
        reject: (error) => {
          giveBack(planned);
          reject(error);
        },
      });
    });
  }

  recordHistory({ record, attempts, next }: HistoryLine, sessionId: number | undefined, now: number): void {
    const row = newTxRow(record, nextColumns(next, sessionId ?? null), true, now);
    this.#history.add({ row, attempts: attempts.map(attemptRow), blobs: [] });
  }

  /** At once, unless something has to be read, or written in pieces, before. */
  #plan(
    transactions: readonly NewTransaction[],
    sessionId: number | undefined,
    now: number,
  ): Planned | Promise<Planned> {
    const { group, files } = this.#options;
    const session = sessionId ?? null;
    try {
      return planAtOnce(transactions, session, now, files) ?? planCreate(transactions, group, session, now, files);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** Waits until everything handed to `recordHistory` is written. */
  flush(): Promise<void> {
    return this.#history.flush();
  }

  close(): void {
    this.#history.close();
  }
}

/** The files that were written for it go with it, when it is refused. */
async function withFiles({ filed }: Planned, write: () => Promise<void>): Promise<void> {
  try {
    await write();
    filed?.end();
  } catch (error) {
    await filed?.refused(error);
    throw error;
  }
}

/** What a result means that is not what was asked for. */
function refusalOf(result: CreateResult | { readonly kind: 'recorded' }): Error | undefined {
  if (result.kind === 'reuse') return new BlobReuseError(result.txId, result.name, result.reason);
  return result.kind === 'sessionDead' ? new LeaseLostError('this session has been declared dead') : undefined;
}

export function noSession(): LeaseLostError {
  return new LeaseLostError('this process has no open session');
}

function notLeased(txId: string): LeaseLostError {
  return new LeaseLostError(`transaction ${txId} is not leased to this session`);
}
