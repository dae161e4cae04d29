/** Writes lines of history: transactions that ended before they were stored, and that nobody waits for. All or none. */
import type { PackedRows } from '../packed-rows.ts';
import {
  type CreatePlan,
  type CreateResult,
  createTransactions,
  type PlannedTransaction,
} from './create-transactions.ts';
import type { Sql } from './sql.ts';

/** A few hundred of them, packed; reading them makes rows. */
export interface HistoryRows extends Iterable<PlannedTransaction> {
  readonly count: number;
  readonly packed: PackedRows;
}

export function writeHistory(sql: Sql, rows: HistoryRows): Promise<CreateResult> {
  return createTransactions(sql, historyPlan(rows));
}

/** None has a body: that went to the next hop. */
export function historyPlan(rows: HistoryRows): CreatePlan {
  return { bodies: [], transactions: [...rows], now: 0 };
}
