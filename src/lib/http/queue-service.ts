/**
 * What an operator may ask a router about its transactions, beside the protocol of upstream: which there are, the whole story of one, and to
 * try one now. A resource of its own, because upstream's clients refuse a transaction with keys they do not know.
 */
import type { HostPort, Origin } from '../core/envelope.ts';
import type { ListedState } from '../core/listed-state.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { Response } from '../core/response.ts';
import type { FilterOutput, Final, Replies } from '../core/transaction.ts';
import type { Caller } from './caller.ts';

/** A place in a list, which is in the order of creation, the newest first. */
export interface ListCursor {
  readonly createdAt: number;
  readonly id: string;
}

/** Each condition that is given must hold. Addresses and domains are in lower case. */
export interface ListQuery {
  readonly sender?: string;
  readonly state?: ListedState;
  readonly to?: { readonly address: string } | { readonly domain: string };
  /** `''`: the null reverse-path. */
  readonly from?: string;
  readonly parent?: string;
  readonly after?: ListCursor;
  readonly limit: number;
}

export interface TransactionSummary {
  readonly id: string;
  readonly sender: string;
  readonly tag?: string;
  readonly createdAt: number;
  readonly mailFrom?: Mailbox;
  readonly rcptTo: readonly Mailbox[];
  readonly state: ListedState;
  /** Attempts so far, one that is under way included. */
  readonly attempts: number;
  readonly nextAttemptAt?: number;
  /** What decided the newest attempt. */
  readonly lastReply?: Response;
  readonly final?: Final;
  /** The conversation it was exploded from, or the transaction it is a notification about. */
  readonly parentId?: string;
}

export interface ListAnswer {
  readonly transactions: readonly TransactionSummary[];
  /** Where the next page begins; a page can be short, or empty, and still have one. */
  readonly next?: ListCursor;
}

export interface AttemptStory {
  readonly number: number;
  readonly startedAt: number;
  readonly endedAt?: number;
  /** When the end of the message was handed over; not every router writes it down. */
  readonly dotSentAt?: number;
  /** Hosts that were offered the message, in order; the last one gave the replies. */
  readonly hosts: readonly HostPort[];
  readonly replies: Replies;
}

/** A policy that matched, and where it is written. */
export interface PolicyStory {
  readonly tag: string;
  readonly rule: string;
  readonly action: string;
  readonly rcpt?: string;
  readonly place?: string;
}

/** Everything that is known of a transaction, except the message. */
export interface TransactionHistory extends TransactionSummary {
  readonly origin: Origin;
  /** It is tried again when it fails for now; a failure is reported to its sender. */
  readonly retry: boolean;
  readonly notification: boolean;
  readonly cancelled: boolean;
  readonly signals: FilterOutput;
  readonly policies: readonly PolicyStory[];
  readonly story: readonly AttemptStory[];
  readonly blobs: readonly { readonly name: string; readonly sizeBytes: number; readonly finalized: boolean }[];
  /** Why there is a next attempt, or what is waited for. */
  readonly nextReason?: string;
  /** Base URL of the router that has it in work. */
  readonly inWorkAt?: string;
  /** What came out of it: its notification, or the recipients of a conversation. */
  readonly children: readonly TransactionSummary[];
}

export interface QueueService {
  /** Only what is there for this caller. */
  list(query: ListQuery, caller: Caller): Promise<ListAnswer>;
  /** Throws `RequestProblem` 404 for what is not there, or not for this caller. */
  history(id: string, caller: Caller): Promise<TransactionHistory>;
  /** Makes a transaction due at once; throws `RequestProblem` 404, or 409 when it does not wait for an attempt. */
  retry(id: string, caller: Caller): Promise<void>;
}
