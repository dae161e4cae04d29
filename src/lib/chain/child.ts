/**
 * The transactions an exploder opens: one for each recipient, in memory, until we answer 2xx for something the next hop has not taken.
 * Then they are adopted: envelope, body and schedule in one commit, before the answer.
 */
import type { Body } from '../core/body.ts';
import type { Origin } from '../core/envelope.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { Response } from '../core/response.ts';
import type { Signals } from '../core/signal.ts';

export interface ChildAsk extends Origin {
  readonly sender: string;
  readonly tag: string | undefined;
  readonly parentId: string;
  /** What the filters before it find out, up to the message. */
  readonly signals: Signals;
  /** Whom its place counts for (`shareOf`): the sender it came from, not the one it goes out through, which many share. */
  readonly onBehalfOf: string;
  /** Where it goes, as its client said: one far end must not take all places. */
  readonly domain: string | undefined;
  /** When there is no room for another attempt: take it all the same, parked, rather than not at all. */
  readonly mayPark: boolean;
}

export interface Child {
  readonly id: string;
  /** There was no room for an attempt: nobody answers, it can only be adopted, and is then delivered from the store. */
  readonly isParked: boolean;
  /** Its chain, driven by an attempt of its own. Closing it before adoption cancels; after adoption the attempt goes on. */
  readonly exchange: Exchange;
  /**
   * Asks MAIL and RCPT of it at once, for whoever wants one answer to both, and no promise: `tell` hears it once, now or later, and must not ask
   * anything of this child before it returns. A refused MAIL is the recipient's answer too, with its own words.
   */
  askEnvelope(from: Mailbox, to: Mailbox, tell: (answer: Response) => void): void;
  /** DATA in the same way. */
  askData(body: Body, tell: (answer: Response) => void): void;
  /** A permanent failure after adoption will reach the sender: its chain names who sends notifications. */
  readonly bounces: boolean;
}

/** A message to be stored for another sender of this router: delivered from the store, with nobody waiting. */
export interface CopyAsk extends Origin {
  readonly sender: string;
  readonly tag: string | undefined;
  readonly parentId: string;
  readonly signals: Signals;
  readonly mailFrom: Mailbox;
  readonly rcptTo: readonly Mailbox[];
}

/** A copy that is stored, and not delivered until its keeper says so, or is gone for long. */
export interface StoredCopy {
  /** Delivers it now; resolves when that is sure to happen soon. */
  deliver(): Promise<void>;
  /** Nobody wants it any more. */
  drop(): Promise<void>;
}

export interface ChildOpener {
  /** Opens a transaction in memory, or answers `undefined` when there are too many at work already and it may not be parked. */
  open(ask: ChildAsk): Child | undefined;
  /**
   * Takes responsibility for these children and this message: retry and bounce are our duty from now on. Resolves once it is durable,
   * in one commit for all of them; rejects when it could not be made so, and then nobody may be told 2xx.
   */
  adopt(children: readonly Child[], body: Body): Promise<void>;
  /** Stores a copy, one transaction for each recipient, in one commit; rejects when it could not be made durable. */
  store(ask: CopyAsk, body: Body): Promise<StoredCopy>;
}
