/**
 * Ends an attempt whose end may have been committed already, though nobody heard so: then the transaction may have been due since, and be in its
 * next attempt under the same lease, which is not to be ended.
 */
import { loadTransaction } from './load-transaction.ts';
import { type OutcomeResult, type OutcomeRow, recordOutcome } from './record-outcome.ts';
import { lockRows, type Sql } from './sql.ts';

export async function recordAgain(sql: Sql, outcome: OutcomeRow): Promise<OutcomeResult> {
  const { txId, attempt } = outcome;
  // A commit that a server is still about to make, when its client has given it up already, is waited for.
  await sql.all(`select id from transactions where id = ?${lockRows(sql)}`, [txId]);
  const stored = await loadTransaction(sql, { txId });
  const isThere = stored?.attempts.some(
    ({ number, endedAt }) => number === attempt.number && endedAt === attempt.ended_at,
  );
  return isThere === true ? { kind: 'recorded' } : recordOutcome(sql, outcome);
}
