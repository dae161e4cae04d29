/**
 * Runs the operations of a batch together: all creates as one statement, all marks of the delivery journal as another, all outcomes as a third.
 * They are nearly all there is under load, and do not touch each other's rows but in this order: a create makes new ones, a mark and then an
 * outcome are those of a transaction whose create was committed before. Anything else runs by itself, after what came before it and before what
 * comes after it.
 */
import { type Operation, type WriteName, writes } from '../sql/index.ts';
import type { Sql } from '../sql/sql.ts';
import { historyPlan } from '../sql/write-history.ts';
import { ConnectionTrouble } from './connection.ts';
import { createTogether, isOnlyInserts } from './create-together.ts';
import { markTogether } from './marks-together.ts';
import { isOnlyUpdate, recordTogether } from './outcomes-together.ts';

/** An operation, with its place in the batch. */
interface Placed<V extends WriteName> {
  readonly at: number;
  readonly args: Operation<V>['args'];
}

class Group {
  readonly #creates: Placed<'createTransactions'>[] = [];
  readonly #marks = new Map<string, Placed<'markDotSent'>>();
  readonly #outcomes = new Map<string, Placed<'recordOutcome'>>();

  /** Answers `false`, and takes nothing, when the operation has to wait for those in this group, or runs by itself. */
  take(operation: Operation, at: number): boolean {
    if (isVerb(operation, 'createTransactions')) {
      if (!isOnlyInserts(operation.args)) return false;
      this.#creates.push({ at, args: operation.args });
      return true;
    }
    if (isVerb(operation, 'writeHistory')) {
      this.#creates.push({ at, args: historyPlan(operation.args) });
      return true;
    }
    if (isVerb(operation, 'markDotSent')) {
      const { txId } = operation.args;
      if (this.#marks.has(txId) || this.#outcomes.has(txId)) return false;
      this.#marks.set(txId, { at, args: operation.args });
      return true;
    }
    if (!isVerb(operation, 'recordOutcome') || !isOnlyUpdate(operation.args)) return false;
    if (this.#outcomes.has(operation.args.txId)) return false;
    this.#outcomes.set(operation.args.txId, { at, args: operation.args });
    return true;
  }

  /** Sends all statements before the answer to the first. */
  async run(sql: Sql, results: unknown[]): Promise<void> {
    const creates = this.#creates;
    const marks = [...this.#marks.values()];
    const outcomes = [...this.#outcomes.values()];
    const [, marked, recorded] = await Promise.all([
      creates.length === 0 ? undefined : createTogether(sql, creates.map(argsOf)),
      marks.length === 0 ? [] : markTogether(sql, marks.map(argsOf)),
      outcomes.length === 0 ? [] : recordTogether(sql, outcomes.map(argsOf)),
    ]);
    for (const { at } of creates) results[at] = { kind: 'created' };
    for (const [i, { at }] of marks.entries()) results[at] = marked[i];
    for (const [i, { at }] of outcomes.entries()) results[at] = recorded[i];
  }
}

function isVerb<V extends WriteName>(operation: Operation, verb: V): operation is Operation<V> {
  return operation.verb === verb;
}

function argsOf<T>({ args }: { readonly args: T }): T {
  return args;
}

/** Answers the result of each. Throws when one of them fails; which one it was is for `runBatch` to find out. */
export async function runTogether(sql: Sql, operations: readonly Operation[]): Promise<readonly unknown[]> {
  const results: unknown[] = [];
  let group = new Group();
  for (const [at, operation] of operations.entries()) {
    if (group.take(operation, at)) continue;
    await group.run(sql, results);
    group = new Group();
    if (!group.take(operation, at)) results[at] = await writes[operation.verb](sql, operation.args as never);
  }
  await group.run(sql, results);
  return results;
}

/**
 * The same with its transaction: nothing of a batch that is one group depends on an answer, so all of it leaves at once, up to the commit, which
 * the server turns into a rollback when anything before it has failed. `undefined` for any other batch.
 */
export function commitTogether(
  sql: Sql,
  begin: string,
  operations: readonly Operation[],
): Promise<readonly unknown[]> | undefined {
  const group = new Group();
  for (const [at, operation] of operations.entries()) {
    if (!group.take(operation, at)) return undefined;
  }
  return commitGroup(sql, begin, group);
}

async function commitGroup(sql: Sql, begin: string, group: Group): Promise<readonly unknown[]> {
  const results: unknown[] = [];
  const [begun, ran, committed] = await Promise.allSettled([
    sql.run(begin, []),
    group.run(sql, results),
    sql.run('commit', []),
  ]);
  // Of what failed the first says why; what came after it only says that something had failed. Statements whose transaction has not begun (an
  // operator has cancelled that, say) are refused: outside of one nothing may write, so nothing is stored.
  const failed = [begun, ran, committed].find(({ status }) => status === 'rejected');
  if (failed?.status !== 'rejected') return results;
  if (failed === begun || committed.status === 'rejected') throw failed.reason;
  throw new ConnectionTrouble('a commit was answered although a statement before it had failed', {
    cause: failed.reason,
  });
}
