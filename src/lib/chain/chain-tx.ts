/** One transaction as the filters of its chain see it, and the outermost exchange, which keeps what was asked and answered. */
import type { Body } from '../core/body.ts';
import type { Log } from '../core/deps.ts';
import type { HostPort, Origin, SmtpMeta } from '../core/envelope.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { ParsedMessage } from '../core/parsed-message.ts';
import type { Response } from '../core/response.ts';
import type { Route } from '../core/route.ts';
import { Signals } from '../core/signal.ts';
import type { TxContext } from './filter.ts';

/** What a chain is told about the transaction it is opened for. */
export interface ExchangeInit {
  readonly id: string;
  readonly origin: Origin;
  /** Carries the transaction id on every line. */
  readonly log: Log;
  /** Hears of each signal a filter sets, in the form that is kept. */
  readonly onSignal?: (wireName: string, record: unknown) => void;
  /** What an earlier chain found out about the message, in wire form; see `Signals`. */
  readonly inherited?: () => Readonly<Record<string, unknown>>;
  /** Hears of each host the message is offered to. */
  readonly onHost?: (host: HostPort) => void;
  /** Puts a guard around the message as the output gets it, behind every filter: called once, when it is about to be sent. */
  readonly guard?: (body: Body) => Body;
}

export class ChainTx implements TxContext {
  readonly id: string;
  readonly sender: TxContext['sender'];
  readonly remoteHost: HostPort | undefined;
  readonly localHost: HostPort | undefined;
  readonly smtpMeta: SmtpMeta | undefined;
  readonly log: Log;
  readonly signals: Signals;
  readonly offering: (host: HostPort) => void;
  mailFrom: Mailbox | undefined;
  readonly rcptTo: Mailbox[] = [];
  readonly rcptReplies: (Response | undefined)[] = [];
  route: Route | undefined;
  readonly routed: Mailbox[] = [];
  resolution: readonly HostPort[] | undefined;
  parsed: ParsedMessage | undefined;
  /** Made for the first filter that waits; most chains have none. */
  #closing: AbortController | undefined;
  #isClosed = false;

  constructor(sender: TxContext['sender'], init: ExchangeInit) {
    const { remoteHost, localHost, smtpMeta } = init.origin;
    this.id = init.id;
    this.sender = sender;
    this.remoteHost = remoteHost;
    this.localHost = localHost;
    this.smtpMeta = smtpMeta;
    this.log = init.log;
    this.signals = new Signals(init.onSignal, init.inherited);
    this.offering = (host) => init.onHost?.(host);
  }

  get signal(): AbortSignal {
    if (this.#closing === undefined) {
      this.#closing = new AbortController();
      if (this.#isClosed) this.#closing.abort();
    }
    return this.#closing.signal;
  }

  markRouted(to: Mailbox): void {
    this.routed.push(to);
  }

  /** The chain, with asks and replies recorded here; closing it ends every wait of its filters. */
  track(chain: Exchange): Exchange {
    return new TrackedChain(this, chain);
  }

  close(): void {
    this.#isClosed = true;
    this.#closing?.abort();
  }
}

class TrackedChain implements Exchange {
  readonly #tx: ChainTx;
  readonly #chain: Exchange;

  constructor(tx: ChainTx, chain: Exchange) {
    this.#tx = tx;
    this.#chain = chain;
  }

  mail(from: Mailbox): Promise<Response> {
    this.#tx.mailFrom = from;
    return this.#chain.mail(from);
  }

  rcpt(to: Mailbox): Promise<Response> {
    const { rcptTo, rcptReplies } = this.#tx;
    const index = rcptTo.push(to) - 1;
    rcptReplies.push(undefined);
    const answer = this.#chain.rcpt(to);
    // Recorded before whoever asked hears of it; a rejection is theirs.
    answer.then(
      (response) => {
        rcptReplies[index] = response;
      },
      () => undefined,
    );
    return answer;
  }

  data(body: Body): Promise<Response> {
    return this.#chain.data(body);
  }

  close(): Promise<void> {
    this.#tx.close();
    return this.#chain.close();
  }
}
