/** The whole story of one transaction, from its rows and, while it is in work here, from what has happened since they were written. */
import { ofConversation, ofTransaction } from '../core/conversation-signals.ts';
import { verdictRecords } from '../core/signals/policy-outcome.ts';
import type { FilterOutput } from '../core/transaction.ts';
import type { AttemptStory, TransactionHistory, TransactionSummary } from '../http/queue-service.ts';
import type { AttemptRecord, StoredTransaction } from '../store/store.ts';
import { summaryOfStored, summaryOfWork } from './summary.ts';
import type { Work } from './work.ts';

/** `inWork`: the attempt of it that is under way at this router. */
export function historyOfStored(
  stored: StoredTransaction,
  inWork: Work | undefined,
  children: readonly TransactionSummary[],
  reason: string | undefined,
): TransactionHistory {
  const { record, lease } = stored;
  const signals = inWork?.live.state.filterOutput ?? record.filterOutput;
  const attempts = inWork === undefined ? stored.attempts : [...stored.attempts.slice(0, -1), inWork.attemptRecord()];
  return {
    ...summaryOfStored({ ...stored, attempts }),
    origin: record.origin,
    retry: record.retry,
    notification: record.notification,
    cancelled: stored.cancelled,
    ...foundOut(signals),
    story: attempts.map(attemptStory),
    blobs: stored.blobs.map(({ name, length, finalized }) => ({ name, sizeBytes: length, finalized })),
    ...(reason !== undefined && { nextReason: reason }),
    ...(lease && { inWorkAt: lease.uri }),
    children,
  };
}

/** Of what is in memory alone. */
export function historyOfWork(work: Work, children: readonly TransactionSummary[]): TransactionHistory {
  const { state } = work.live;
  const { origin } = work.facts;
  return {
    ...summaryOfWork(work),
    origin,
    retry: state.retry,
    notification: state.notification,
    cancelled: state.cancelled,
    ...foundOut(state.filterOutput),
    story: [...work.pastAttempts, work.attemptRecord()].map(attemptStory),
    blobs: [],
    children,
  };
}

/** In this chain, and in the one of the conversation it was exploded from. */
function foundOut(kept: FilterOutput): Pick<TransactionHistory, 'signals' | 'policies'> {
  const [before, own] = [ofConversation(kept), ofTransaction(kept)];
  return { signals: { ...before, ...own }, policies: [...verdictRecords(before), ...verdictRecords(own)] };
}

function attemptStory({ number, startedAt, endedAt, dotSentAt, hosts = [], replies }: AttemptRecord): AttemptStory {
  return {
    number,
    startedAt,
    ...(endedAt !== undefined && { endedAt }),
    ...(dotSentAt !== undefined && { dotSentAt }),
    hosts,
    replies,
  };
}
