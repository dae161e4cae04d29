/**
 * A next hop: something that opens exchanges. `http/client` is one over the wire; in one process the other half is one by a call, with
 * the same interface, no HTTP, and no second copy of the message.
 */
import type { Origin } from './envelope.ts';
import type { Exchange } from './exchange.ts';
import type { FilterOutput } from './transaction.ts';

export interface HopAsk extends Origin {
  /** Which configured sender of the next hop this is for, and which of its tags. */
  readonly sender: string;
  readonly tag?: string;
  readonly filterOutput?: FilterOutput;
  /** How long to wait for the answer to MAIL and RCPT, and to DATA. */
  readonly rcptTimeoutMs: number;
  readonly dataTimeoutMs: number;
  /**
   * What the first request must carry: `mail` creates the transaction at MAIL and adds each recipient (the incremental dialect);
   * `rcpt` creates it whole with its single recipient, as a native REST endpoint demands.
   */
  readonly createAt: 'mail' | 'rcpt';
}

export interface Hop {
  open(ask: HopAsk): Exchange;
}

/** How an output wants its hop: only matters over the wire. */
export interface HopOptions {
  /** Verify the certificate, or the CA file to verify it with. */
  readonly verify?: boolean | string;
  /** Uploads larger than this many bytes are sent in ranges. */
  readonly chunkSize?: number;
  /** Pause between two signs of life while the message is awaited. */
  readonly refreshIntervalMs?: number;
}

/** Finds the hop for a create URL: a local one when the URL is this process's own, else one over HTTP. */
export type HopResolver = (endpoint: string, options?: HopOptions) => Hop;
