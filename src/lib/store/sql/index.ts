/** The verbs by name. A write is a name and plain data, so that it can be handed to a worker thread and run again when it must be. */
import { appendBlob, loadBlob } from './append-blob.ts';
import { cancel } from './cancel.ts';
import { claimDue, nextDueAt } from './claim-due.ts';
import { collectGarbage } from './collect-garbage.ts';
import { correctDueTimes } from './correct-due-times.ts';
import { createTransactions } from './create-transactions.ts';
import { endSession, expireSessions } from './end-session.ts';
import { listLeases, releaseLeases } from './leases.ts';
import { listSessions } from './list-sessions.ts';
import { listTransactions } from './list-transactions.ts';
import { loadTransaction } from './load-transaction.ts';
import { makeDue } from './make-due.ts';
import { markDotSent } from './mark-dot-sent.ts';
import { openSession } from './open-session.ts';
import { queueDepth } from './queue-depth.ts';
import { readChunk } from './read-chunk.ts';
import { recordAgain } from './record-again.ts';
import { recordOutcome } from './record-outcome.ts';
import { refreshSession } from './refresh-session.ts';
import { beginBlob, beginFileBlob, fileBlobs, newestBlobId, writeBlob } from './write-blob.ts';
import { writeHistory } from './write-history.ts';

export const writes = {
  appendBlob,
  beginBlob,
  beginFileBlob,
  cancel,
  claimDue,
  collectGarbage,
  correctDueTimes,
  createTransactions,
  endSession,
  expireSessions,
  makeDue,
  markDotSent,
  openSession,
  recordAgain,
  recordOutcome,
  refreshSession,
  releaseLeases,
  writeBlob,
  writeHistory,
} as const;

export const reads = {
  fileBlobs,
  listLeases,
  listSessions,
  listTransactions,
  loadBlob,
  loadTransaction,
  newestBlobId,
  nextDueAt,
  queueDepth,
  readChunk,
} as const;

type Verbs = typeof writes & typeof reads;
export type WriteName = keyof typeof writes;
export type ReadName = keyof typeof reads;
export type Args<V extends keyof Verbs> = Parameters<Verbs[V]>[1];
export type Result<V extends keyof Verbs> = Awaited<ReturnType<Verbs[V]>>;

/** One write, as plain data. */
export interface Operation<V extends WriteName = WriteName> {
  readonly verb: V;
  readonly args: Args<V>;
}

/** Reads of several statements, which must all see the same state. */
export const snapshotReads: ReadonlySet<ReadName> = new Set(['listTransactions', 'loadTransaction']);
