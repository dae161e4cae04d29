/**
 * The durable state, as the rest of Koukan sees it: one interface, two engines (SQLite embedded, PostgreSQL shared), the same tests for
 * both. Everything that returns a promise resolves once it is committed with fsync; commits are grouped, so whoever waits at the same
 * moment shares one. Instants are milliseconds of the caller's clock: SQL never asks for the time.
 */
import type { Body } from '../core/body.ts';
import type { HostPort, Origin } from '../core/envelope.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { FilterOutput, Final, Replies } from '../core/transaction.ts';
import type { LeaseWrites } from './lease-writes.ts';
import type { ListAsk, ListPage, QueueDepth } from './list.ts';
import type { PassedOver } from './passed-over.ts';
import type { MakeDueResult } from './sql/make-due.ts';

export { StoreUnavailableError } from '../core/errors.ts';

/** The name of the message itself among a transaction's blobs; message-builder parts have the names the client chose. */
export const BODY_BLOB = 'body';

/** What is known of a transaction when it is first written. */
export interface TxRecord {
  /** The REST id: opaque, unguessable, URL-safe. */
  readonly id: string;
  readonly sender: string;
  readonly tag?: string;
  readonly origin: Origin;
  /** Absent only in the history of a conversation that ended before MAIL. */
  readonly mailFrom?: Mailbox;
  readonly rcptTo: readonly Mailbox[];
  readonly retry: boolean;
  readonly notification: boolean;
  readonly createdAt: number;
  /** The conversation this recipient was exploded from, or the transaction this notification is about. */
  readonly parentId?: string;
  /** The message-builder JSON, with every content rewritten to a blob name (protocol §3.1). */
  readonly messageBuilder?: unknown;
  readonly filterOutput: FilterOutput;
}

/** Where the bytes of one of a new transaction's blobs come from. */
export type BlobSource =
  /** Complete, and stored with the transaction. The same `Body` object given to several transactions of one call is stored once. */
  | { readonly kind: 'body'; readonly body: Body }
  /** Shared with a finalized blob of an existing transaction. */
  | { readonly kind: 'reuse'; readonly txId: string; readonly name: string }
  /** Empty and open: the client will upload it. */
  | { readonly kind: 'open' };

export interface NewBlob {
  readonly name: string;
  readonly source: BlobSource;
}

/** The replies of one attempt, kept for ever under the attempt's number (from 1). */
export interface AttemptRecord {
  readonly number: number;
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly replies: Replies;
  /** Its outcome caused the one notification that the message is late. */
  readonly isDelayReported?: boolean;
  /** The hosts that were offered the message, in the order they were tried; the last one gave the replies. */
  readonly hosts?: readonly HostPort[];
  /** When the end of the message was handed to the far end. Without an end of the attempt, nobody knows whether it was taken. */
  readonly dotSentAt?: number;
}

/** What happens to a transaction when the caller lets go of it. */
export type NextStep =
  /** Still in work: stays leased to this session. */
  | { readonly kind: 'leased' }
  /** To be claimed at this instant, by any replica, once its input is complete. */
  | { readonly kind: 'due'; readonly at: number }
  | { readonly kind: 'final'; readonly final: Final }
  /** Nobody knows whether it was delivered: kept until somebody decides (`makeDue`, `cancel`). */
  | { readonly kind: 'uncertain' };

export interface NewTransaction {
  readonly record: TxRecord;
  readonly blobs: readonly NewBlob[];
  /** Attempts made so far, when the transaction is adopted late in its life; a leased one has its running attempt last. */
  readonly attempts: readonly AttemptRecord[];
  readonly next: NextStep;
}

/** What is kept of a transaction that needed no durability: its bytes went to the next hop. */
export type HistoryLine = Omit<NewTransaction, 'blobs'>;

export interface BlobStatus {
  readonly name: string;
  /** Bytes stored so far. */
  readonly length: number;
  /** The declared total, once known; the blob is finalized when the two are equal. */
  readonly total?: number;
  readonly finalized: boolean;
}

export interface StoredTransaction {
  readonly record: TxRecord;
  readonly blobs: readonly BlobStatus[];
  readonly attempts: readonly AttemptRecord[];
  readonly cancelled: boolean;
  readonly final?: Final;
  /** Nobody knows whether it was delivered: it waits for somebody to decide, and for nothing else. */
  readonly uncertain: boolean;
  /** When the next attempt is due, in milliseconds; absent while in work or final. */
  readonly nextAttemptAt?: number;
  /** All blobs are finalized. */
  readonly inputDone: boolean;
  /** Grows with every change of the row: the ETag of a transaction that is not live anywhere. */
  readonly version: number;
  /** The live session that has it in work, if any. */
  readonly lease?: { readonly sessionId: string; readonly uri: string };
}

/** One piece of an upload. */
export interface BlobPiece {
  /** Offset of the first byte of `bytes`. A prefix that overlaps what is stored is skipped: a plain retry works. */
  readonly offset: number;
  readonly bytes: Buffer;
  /** Declares the total length; contradicting an earlier one is refused. */
  readonly total?: number;
}

/** `range`: the offset or the total does not fit what is stored; `status` tells where to resume. */
export type AppendResult =
  | { readonly kind: 'stored'; readonly status: BlobStatus; readonly inputDone: boolean }
  | { readonly kind: 'range'; readonly status: BlobStatus }
  | { readonly kind: 'unknownTransaction' }
  | { readonly kind: 'unknownBlob' };

export interface Outcome {
  readonly id: string;
  readonly attempt: AttemptRecord;
  readonly filterOutput: FilterOutput;
  readonly next: Exclude<NextStep, { kind: 'leased' }>;
  /** Notifications this outcome causes: created in the same commit (transactional outbox). */
  readonly spawn: readonly NewTransaction[];
  /** The row's version becomes at least this, so that ETags given out while it was live are never seen again. */
  readonly version: number;
  /** It was to be recorded before, and may have been although the answer was lost: then nothing happens. */
  readonly isAgain?: boolean;
}

/** The end of the message of a leased transaction goes out, or has just gone out. */
export interface DotMark {
  readonly id: string;
  /** Number of the attempt that sends it. */
  readonly attempt: number;
  readonly at: number;
  readonly hosts: readonly HostPort[];
  readonly replies: Replies;
}

export interface GcResult {
  readonly transactions: number;
  readonly blobs: number;
  /** There is more: what was asked for was not all there is. */
  readonly isMore: boolean;
}

export interface SessionTerms {
  /** How long without a sign of life others are to believe in it; they go by this, not by a setting of their own. */
  readonly ttlMs?: number;
  /** When another session has the address, leave it that one's instead of ending it. */
  readonly yields?: boolean;
}

/** A session as the others see it. */
export interface SessionSign {
  readonly id: string;
  readonly uri: string;
  readonly ttlMs: number;
  /** Another number after each sign of life. It is only ever compared with an earlier one: clocks of replicas need not agree. */
  readonly sign: number;
}

/** A transaction that this session has leased. */
export interface Lease {
  readonly txId: string;
  readonly version: number;
  readonly cancelled: boolean;
}

/** Counters for tests and metrics. */
export interface StoreStats {
  /** Commits (fsyncs) so far. */
  readonly commits: number;
  /** Writes somebody waited for: each is one durable promise; many share a commit. */
  readonly promises: number;
  /** Writes that wait for a commit. */
  readonly waiting: number;
  /** What they carry, roughly. */
  readonly waitingBytes: number;
  /** History rows that wait for one. */
  readonly historyBacklog: number;
  /** The newest batch was not committed, the database takes no writes; or its disk has too little room for anything new. */
  readonly isFailing: boolean;
}

export interface Store {
  /** What is under way that leases something to our session. */
  readonly leaseWrites: Pick<LeaseWrites, 'nextEra' | 'areAnsweredBefore'>;
  /** Our session's id, once opened. */
  readonly sessionId: string | undefined;
  /**
   * Opens this process's session: its leases live as long as it is refreshed. `uri` is where clients are redirected to; an earlier session
   * with the same `uri` was this replica before it died, so it is declared dead and its leases are released at once. Answers `false`, and
   * opens nothing, when `terms.yields` and another session has the address.
   */
  openSession(uri: string, now: number, terms?: SessionTerms): Promise<boolean>;
  /** Refreshes our session; answers `false` when others have declared it dead: then there is none, until another is opened. */
  refreshSession(now: number): Promise<boolean>;
  /** All sessions, ours among them. */
  sessions(): Promise<readonly SessionSign[]>;
  /**
   * Declares these sessions dead, deletes them and releases their leases; who has given a sign of life since is spared. Answers how many
   * transactions were released.
   */
  expireSessions(silent: readonly SessionSign[]): Promise<number>;
  /** Ends our session and releases what it still leases. */
  closeSession(): Promise<void>;

  /**
   * Creates transactions with their blobs, all in one commit. Throws `BlobReuseError` when a reused blob is missing or unfinished,
   * `LeaseLostError` when one is to stay leased and our session is dead or not open, `ConflictError` when an id is taken.
   */
  create(transactions: readonly NewTransaction[], now: number): Promise<void>;
  /** Appends to an open blob and finalizes it when its declared total is reached. */
  append(txId: string, name: string, piece: BlobPiece, now: number): Promise<AppendResult>;
  /** The delivery journal: the end of the message may go out once this is committed. Answers `false` when the lease is not ours any more. */
  markDotSent(mark: DotMark): Promise<boolean>;
  /** The same afterwards, when nobody waits for it: joins a later commit, and is lost when there is none. */
  noteDotSent(mark: DotMark): void;
  /** Ends an attempt: replies, next step and notifications in one commit. Throws `LeaseLostError` when we no longer own it. */
  recordOutcome(outcome: Outcome, now: number): Promise<void>;
  /**
   * Marks a transaction cancelled: final at once, or, while a session has it in work, as soon as that session lets go of it (an outcome
   * that ends it stands, one that would retry it becomes `cancelled`). Unknown ids and ended transactions are ignored.
   */
  cancel(txId: string, now: number): Promise<void>;
  /**
   * Leases up to `limit` due transactions to our session and starts their next attempt; O(log n) in the size of the queue, and in proportion to
   * what is due of those that are passed over.
   */
  claimDue(now: number, limit: number, passedOver?: PassedOver): Promise<readonly StoredTransaction[]>;
  /** What is leased to our session; with `onlyCancelled`, what somebody has cancelled meanwhile. Nothing when no session is open. */
  leases(onlyCancelled: boolean): Promise<readonly Lease[]>;
  /**
   * Lets go of leases of ours that nobody works on, to be claimed at `dueAt`; a row that has changed since it was looked at is left alone.
   * With `dropAttempt`, the attempt that the claim began is not counted, unless it has sent its message. Answers how many were released.
   */
  releaseLeases(leases: readonly Lease[], dueAt: number, dropAttempt: boolean): Promise<number>;
  /** The instant at which the next transaction falls due, to sleep until then. */
  nextDueAt(): Promise<number | undefined>;
  /** Writes the history row of a transaction that needed no durability; joins a later commit, nobody waits for it. */
  recordHistory(line: HistoryLine, now: number): void;
  /** Waits until everything handed to `recordHistory` is written. */
  flush(): Promise<void>;

  /** Reads one transaction as committed. */
  load(txId: string): Promise<StoredTransaction | undefined>;
  /** Finds transactions, the newest first, in O(size of a page) whatever the size of the database. */
  list(ask: ListAsk): Promise<ListPage>;
  /** Makes a transaction that waits for its next attempt, or is uncertain, due at once. */
  makeDue(txId: string, now: number): Promise<MakeDueResult>;
  /**
   * Gives what was put off by a clock that was ahead of `now`, by more than `limits.clockSkewMs`, the pause it was meant to have. At most
   * `limit` at once; answers how many.
   */
  correctDueTimes(now: number, limit: number): Promise<number>;
  queueDepth(): Promise<QueueDepth>;
  blobStatus(txId: string, name: string): Promise<BlobStatus | undefined>;
  /** The bytes of a finalized blob, read piece by piece; lives as long as its transaction does. */
  openBlob(txId: string, name: string): Promise<Body | undefined>;

  /**
   * Deletes up to `limit` transactions that ended, or whose input never completed, before `before`; then unreferenced blobs. Bounded in
   * bytes too, so that no writer waits long. Any number of replicas may do it at the same time.
   */
  collectGarbage(before: number, limit: number): Promise<GcResult>;
  readonly stats: StoreStats;
  close(): Promise<void>;
}

/** A blob to be reused does not exist or is not finalized yet. */
export class BlobReuseError extends Error {
  override readonly name = 'BlobReuseError';
  readonly txId: string;
  readonly blob: string;
  readonly reason: 'missing' | 'unfinished';
  constructor(txId: string, blob: string, reason: 'missing' | 'unfinished') {
    super(`blob ${blob} of transaction ${txId} is ${reason}`);
    this.txId = txId;
    this.blob = blob;
    this.reason = reason;
  }
}
