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
  readonly tag?: string | undefined;
  readonly filterOutput?: FilterOutput | undefined;
  /** How long to wait for the answer to MAIL and RCPT, and to DATA. */
  readonly rcptTimeoutMs: number;
  readonly dataTimeoutMs: number;
  /**
   * What the first request must carry: `mail` creates the transaction at MAIL and adds each recipient (the incremental dialect);
   * `rcpt` creates it whole with its single recipient, as a native REST endpoint demands.
   */
  readonly createAt: 'mail' | 'rcpt';
  /** The message is there before MAIL, and it has one recipient. */
  readonly isWhole?: boolean | undefined;
}

export interface Hop {
  open(ask: HopAsk): Exchange;
  /** Whether it takes over what RFC 3461 asks of a mail server; over the wire not known before its first answer. */
  readonly offersDsn?: boolean | undefined;
}

/** How it is shown to a next hop over the wire who we are: paths of files, or a token itself. */
export interface PeerCredentials {
  /** A bearer token (RFC 6750). */
  readonly token?: string;
  /** A file whose only line is the token; read again when it changes. */
  readonly tokenFile?: string;
  /** PEM files of a client certificate. */
  readonly clientCert?: string;
  readonly clientKey?: string;
}

/** How an output wants its hop: only matters over the wire. */
export interface HopOptions extends PeerCredentials {
  /** Verify the certificate, or the CA file to verify it with. */
  readonly verify?: boolean | string;
  /** Uploads larger than this many bytes are sent in ranges. */
  readonly chunkSize?: number;
  /** Pause between two signs of life while the message is awaited. */
  readonly refreshIntervalMs?: number;
}

/** Finds the hop for a create URL: a local one when the URL is this process's own, else one over HTTP. */
export type HopResolver = (endpoint: string, options?: HopOptions) => Hop;
