/** Lists of what is in the store, as an operator asks for them. */
import type { ListedState } from '../core/listed-state.ts';
import type { StoredTransaction } from './store.ts';

/** What a list is asked for; each condition that is given must hold. Addresses and domains in lower case. */
export interface ListFilter {
  readonly sender?: string;
  /** Only these senders exist for whoever asks. */
  readonly senders?: readonly string[];
  readonly state?: ListedState;
  readonly to?: { readonly address: string } | { readonly domain: string };
  /** The reverse-path; `''` for the null one. */
  readonly from?: string;
  readonly parent?: string;
}

/** A place in the list, which is in the order of creation, the newest first: what comes after it was created before. */
export interface ListPosition {
  readonly createdAt: number;
  readonly id: string;
}

export interface ListAsk {
  readonly filter: ListFilter;
  readonly before?: ListPosition;
  readonly limit: number;
}

/** A transaction without its blobs, and with its newest attempt only. */
export type ListedTransaction = Omit<StoredTransaction, 'blobs'>;

export interface ListPage {
  readonly transactions: readonly ListedTransaction[];
  /** Where the next page begins; a page can be short, or empty, and still have one. */
  readonly next?: ListPosition;
}

/** How many transactions there are to work on, each number up to `limits.queueCountRows`. */
export interface QueueDepth {
  readonly active: number;
  readonly deferred: number;
  readonly incomplete: number;
  readonly uncertain: number;
  readonly nextDueAt?: number;
}
