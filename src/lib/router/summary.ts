/** One line of a list: of what is stored, and of what is only in work; and whether it is one that was asked for. */
import { listedState } from '../core/listed-state.ts';
import { domainOf } from '../core/mailbox.ts';
import { decisive } from '../core/transaction.ts';
import type { ListCursor, ListQuery, TransactionSummary } from '../http/queue-service.ts';
import type { ListedTransaction } from '../store/list.ts';
import { stateOf } from './stored-state.ts';
import type { Work } from './work.ts';

export function summaryOfStored(stored: ListedTransaction): TransactionSummary {
  const { record, final, lease, inputDone, nextAttemptAt, uncertain } = stored;
  const state = stateOf(stored);
  const lastReply = decisive(state);
  return {
    id: record.id,
    sender: record.sender,
    ...(record.tag !== undefined && { tag: record.tag }),
    createdAt: record.createdAt,
    ...(record.mailFrom && { mailFrom: record.mailFrom }),
    rcptTo: record.rcptTo,
    state: listedState({ isLeased: lease !== undefined, inputDone, uncertain, ...(final && { final }) }),
    attempts: state.attemptCount,
    ...(nextAttemptAt !== undefined && { nextAttemptAt }),
    ...(lastReply && { lastReply }),
    ...(final && { final }),
    ...(record.parentId !== undefined && { parentId: record.parentId }),
  };
}

export function summaryOfWork(work: Work): TransactionSummary {
  const record = work.record();
  const { state } = work.live;
  const lastReply = decisive(state);
  return {
    id: record.id,
    sender: record.sender,
    ...(record.tag !== undefined && { tag: record.tag }),
    createdAt: record.createdAt,
    ...(record.mailFrom && { mailFrom: record.mailFrom }),
    rcptTo: record.rcptTo,
    state: state.final?.outcome ?? 'active',
    attempts: state.attemptCount,
    ...(lastReply && { lastReply }),
    ...(state.final && { final: state.final }),
    ...(record.parentId !== undefined && { parentId: record.parentId }),
  };
}

/** Says of what is not stored what the store says of its rows. */
export function matchesQuery(tx: TransactionSummary, query: ListQuery): boolean {
  const { sender, state, to, from, parent, after } = query;
  const rcpt = tx.rcptTo[0]?.address ?? '';
  return (
    (sender === undefined || sender === tx.sender) &&
    (state === undefined || state === tx.state) &&
    (to === undefined || ('address' in to ? to.address === rcpt.toLowerCase() : to.domain === domainOf(rcpt))) &&
    (from === undefined || from === tx.mailFrom?.address.toLowerCase()) &&
    (parent === undefined || parent === tx.parentId) &&
    (after === undefined || isBefore(tx, after))
  );
}

/** It was created before this place in the list, so it comes after it. */
export function isBefore(tx: ListCursor, place: ListCursor): boolean {
  return newestFirst(tx, place) > 0;
}

export function newestFirst(a: ListCursor, b: ListCursor): number {
  if (a.createdAt !== b.createdAt) return b.createdAt - a.createdAt;
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
}
