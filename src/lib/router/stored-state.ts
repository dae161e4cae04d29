/** The state of a transaction as its row has it, without the message itself. */
import { NO_REPLIES, type TxState } from '../core/transaction.ts';
import type { ListedTransaction } from '../store/list.ts';

export function stateOf(stored: ListedTransaction): TxState {
  const { record, attempts, cancelled, final } = stored;
  const newest = attempts.at(-1);
  return {
    mailFrom: record.mailFrom,
    rcptTo: record.rcptTo,
    incremental: false,
    body: undefined,
    replies: newest?.replies ?? NO_REPLIES,
    attemptCount: newest?.number ?? 0,
    retry: record.retry,
    notification: record.notification,
    cancelled,
    filterOutput: record.filterOutput,
    final,
  };
}
