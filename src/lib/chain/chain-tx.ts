/** One transaction as the filters of its chain see it: what was asked of the chain, what it has answered, and whether it is closed. */
import { added } from '../core/added.ts';
import type { Body } from '../core/body.ts';
import type { Log } from '../core/deps.ts';
import type { HostPort, Origin, SmtpMeta } from '../core/envelope.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { ParsedMessage } from '../core/parsed-message.ts';
import type { Response } from '../core/response.ts';
import type { Route } from '../core/route.ts';
import { type SignalSink, Signals } from '../core/signal.ts';
import type { TxContext } from './filter.ts';

type RcptReplies = TxContext['rcptReplies'];

/** What a chain is told about the transaction it is opened for, and asks of whoever opens it; it may be an object with methods. */
export interface ExchangeInit extends SignalSink {
  readonly id: string;
  readonly origin: Origin;
  /** Carries the transaction id on every line. */
  readonly log: Log;
  /** Hears of each host the message is offered to. */
  onHost?(host: HostPort): void;
  /** Puts a guard around the message as the output gets it, behind every filter: called once, when it is about to be sent. */
  guard?(body: Body): Body;
  /** The message is there already, and it has one recipient. */
  readonly isWhole?: boolean | undefined;
  /** The replies to the recipients so far, from whoever keeps them as they come; without it the chain listens for them by itself. */
  rcptReplies?(): RcptReplies;
}

const NOBODY: readonly Mailbox[] = [];

export class ChainTx implements TxContext {
  readonly #init: ExchangeInit;
  readonly sender: TxContext['sender'];
  readonly remoteHost: HostPort | undefined;
  readonly localHost: HostPort | undefined;
  readonly smtpMeta: SmtpMeta | undefined;
  readonly signals: Signals;
  #mailFrom: Mailbox | undefined;
  #rcptTo: readonly Mailbox[] = NOBODY;
  /** Those that were listened for here. */
  #heard: (Response | undefined)[] | undefined;
  route: Route | undefined;
  #routed: readonly Mailbox[] = NOBODY;
  resolution: readonly HostPort[] | undefined;
  parsed: ParsedMessage | undefined;
  /** Made for the first filter that waits; most chains have none. */
  #closing: AbortController | undefined;
  #isClosed = false;

  /** `origin`: where the sender's configuration says something else than `init` does. */
  constructor(sender: TxContext['sender'], init: ExchangeInit, origin: Origin = init.origin) {
    this.#init = init;
    this.sender = sender;
    this.remoteHost = origin.remoteHost;
    this.localHost = origin.localHost;
    this.smtpMeta = origin.smtpMeta;
    this.signals = new Signals(init);
  }

  get id(): string {
    return this.#init.id;
  }

  get isWhole(): boolean | undefined {
    return this.#init.isWhole;
  }

  get log(): Log {
    return this.#init.log;
  }

  get mailFrom(): Mailbox | undefined {
    return this.#mailFrom;
  }

  get rcptTo(): readonly Mailbox[] {
    return this.#rcptTo;
  }

  get rcptReplies(): RcptReplies {
    const known = this.#init.rcptReplies?.() ?? this.#heard ?? [];
    return this.#rcptTo.map((_, index) => known[index]);
  }

  get routed(): readonly Mailbox[] {
    return this.#routed;
  }

  get signal(): AbortSignal {
    if (this.#closing === undefined) {
      this.#closing = new AbortController();
      if (this.#isClosed) this.#closing.abort();
    }
    return this.#closing.signal;
  }

  markRouted(to: Mailbox): void {
    this.#routed = added(this.#routed, to);
  }

  offering(host: HostPort): void {
    this.#init.onHost?.(host);
  }

  /** The message as its output gets it. */
  guarded(body: Body): Body {
    return this.#init.guard?.(body) ?? body;
  }

  /** Takes note of what is asked of the chain. */
  askedMail(from: Mailbox): void {
    this.#mailFrom = from;
  }

  /** The same; answers the index of the recipient. */
  askedRcpt(to: Mailbox): number {
    this.#rcptTo = added(this.#rcptTo, to);
    return this.#rcptTo.length - 1;
  }

  /** Takes note of the reply to a recipient before whoever asked hears of it; a rejection is theirs. */
  answeredRcpt(index: number, answer: Promise<Response>): void {
    if (this.#init.rcptReplies !== undefined) return;
    this.#heard ??= [];
    const heard = this.#heard;
    answer.then(
      (response) => {
        heard[index] = response;
      },
      () => undefined,
    );
  }

  /** Ends every wait of the filters. */
  close(): void {
    this.#isClosed = true;
    this.#closing?.abort();
  }
}
