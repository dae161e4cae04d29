/**
 * Runs the operations of a batch together: all creates as one statement, all outcomes as another. They are nearly all there is under load,
 * and do not touch each other's rows: a create makes new ones, and an outcome is that of a transaction whose create was committed before.
 * Anything else runs by itself, after what came before it and before what comes after it.
 */
import { type Operation, writes } from '../sql/index.ts';
import type { Sql } from '../sql/sql.ts';
import { createTogether, isOnlyInserts } from './create-together.ts';
import { isOnlyUpdate, recordTogether } from './outcomes-together.ts';

/** Operations with their places in the batch. */
class Group {
  readonly creates: { readonly at: number; readonly args: Operation<'createTransactions'>['args'] }[] = [];
  readonly outcomes = new Map<string, { readonly at: number; readonly args: Operation<'recordOutcome'>['args'] }>();

  /** Answers `false`, and takes nothing, when the operation has to wait for those in this group, or runs by itself. */
  take(operation: Operation, at: number): boolean {
    if (isCreate(operation) && isOnlyInserts(operation.args)) {
      this.creates.push({ at, args: operation.args });
      return true;
    }
    if (!isOutcome(operation) || !isOnlyUpdate(operation.args) || this.outcomes.has(operation.args.txId)) return false;
    this.outcomes.set(operation.args.txId, { at, args: operation.args });
    return true;
  }

  async run(sql: Sql, results: unknown[]): Promise<void> {
    const outcomes = [...this.outcomes.values()];
    const [, recorded] = await Promise.all([
      this.creates.length === 0
        ? undefined
        : createTogether(
            sql,
            this.creates.map(({ args }) => args),
          ),
      outcomes.length === 0
        ? []
        : recordTogether(
            sql,
            outcomes.map(({ args }) => args),
          ),
    ]);
    for (const { at } of this.creates) results[at] = { kind: 'created' };
    outcomes.forEach(({ at }, i) => {
      results[at] = recorded[i];
    });
  }
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

function isCreate(operation: Operation): operation is Operation<'createTransactions'> {
  return operation.verb === 'createTransactions';
}

function isOutcome(operation: Operation): operation is Operation<'recordOutcome'> {
  return operation.verb === 'recordOutcome';
}
