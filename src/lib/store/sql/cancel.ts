/** Marks a transaction cancelled, and ends it unless a session has it in work. */
import { endCancelled } from './end-cancelled.ts';
import type { Sql } from './sql.ts';

export async function cancel(sql: Sql, args: { readonly txId: string; readonly now: number }): Promise<void> {
  await sql.run(
    'update transactions set cancelled = 1, version = version + 1, updated_at = ? where id = ? and cancelled = 0 and final_outcome is null',
    [args.now, args.txId],
  );
  await endCancelled(sql, { txId: args.txId }, args.now);
}
