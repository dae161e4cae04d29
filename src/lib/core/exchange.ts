/** One exchange with the next hop, in the three phases SMTP has. Everything that can take a message is one of these. */
import type { Body } from './body.ts';
import type { Mailbox } from './mailbox.ts';
import type { Response } from './response.ts';

/**
 * Calls may be issued before earlier ones resolve (pipelining), in the order mail, rcpt…, data. A call never rejects for what a peer
 * did or the network does: that is a `Response`. A rejection is a bug, caught once at the top and answered 451.
 */
export interface Exchange {
  /** Opens the transaction for a reverse-path; called once, first. */
  mail(from: Mailbox): Promise<Response>;
  /** Adds a recipient. When MAIL failed, the answer has the class of that failure. */
  rcpt(to: Mailbox): Promise<Response>;
  /** Sends the complete message to the recipients accepted so far. Called at most once, after every `rcpt` was issued. */
  data(body: Body): Promise<Response>;
  /** Ends the exchange and cancels whatever is unfinished upstream; idempotent. */
  close(): Promise<void>;
  /** The transaction's id at the next hop, once it is known: for logs on both sides. */
  readonly transaction?: string | undefined;
}
