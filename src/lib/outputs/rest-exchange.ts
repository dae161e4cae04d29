/** One message at a `rest_output`: one exchange with the next hop for each host of the resolution that is tried. */
import type { ChainEnv, TxContext } from '../chain/filter.ts';
import type { SenderConfig } from '../config/router-config.ts';
import type { Body } from '../core/body.ts';
import { type HostPort, withOverrides } from '../core/envelope.ts';
import { InvariantError, must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Hop } from '../core/hop.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { type HopBodyNotes, hasNotes, hopBody } from '../core/parsed-message.ts';
import { cancelledReply, mailFailed } from '../core/precondition.ts';
import { isOk, isTemporary, type Response, reply } from '../core/response.ts';
import type { DsnOffers } from './dsn-offer.ts';
import { resolutionFailure } from './resolution-failure.ts';

/** What all transactions of one chain share. */
export interface RestOutput {
  readonly config: {
    readonly rcptTimeoutMs: number;
    readonly dataTimeoutMs: number;
    readonly staticEndpoint?: string | undefined;
  };
  readonly env: ChainEnv;
  readonly offers: DsnOffers;
  /** By create URL: configuration names a few, and every message asks for one of them. */
  readonly hopAt: (endpoint: string) => Hop;
}

/** The recipient that is offered to one host after the other, and whoever waits for its answer. */
interface Offer {
  readonly endpoint: string;
  /** `undefined`: the next hop itself, which knows where to. */
  readonly hosts: readonly (HostPort | undefined)[];
  readonly from: Mailbox;
  readonly to: Mailbox;
  readonly answer: (response: Response) => void;
  readonly bug: (error: unknown) => void;
}

/** Where the route names no hosts behind the next hop. */
const ITSELF: readonly undefined[] = [undefined];
const CLOSED = Promise.resolve();
const mailFine = reply(250, '2.1.0', 'ok');
const noRoute = reply(550, '5.1.2', 'no route to the recipient');

export class RestExchange implements Exchange {
  readonly #output: RestOutput;
  readonly #tx: TxContext;
  #from: Mailbox | undefined;
  /** The exchange with the newest host. */
  #hop: Exchange | undefined;
  #isMailTaken = false;
  /** What that host says of the recipient. */
  #rcpt: Response | undefined;
  #answerMail: (response: Response) => void = () => undefined;
  #isClosed = false;

  constructor(output: RestOutput, tx: TxContext) {
    this.#output = output;
    this.#tx = tx;
  }

  mail(from: Mailbox): Promise<Response> {
    this.#from = from;
    return new Promise((resolve) => {
      this.#answerMail = resolve;
    });
  }

  rcpt(to: Mailbox): Promise<Response> {
    const from = this.#from;
    must(from !== undefined, 'MAIL comes before RCPT');
    if (this.#isClosed) return Promise.resolve(cancelledReply);
    if (this.#hop !== undefined) return this.#hop.rcpt(to);
    const endpoint = this.#tx.route?.endpoint ?? this.#output.config.staticEndpoint;
    if (endpoint === undefined) return this.#refuse(noRoute);
    const unresolved = resolutionFailure(this.#tx);
    if (unresolved !== undefined) return this.#refuse(unresolved);
    const found = this.#tx.resolution ?? this.#tx.route?.hosts ?? ITSELF;
    const hosts = found.length === 0 ? ITSELF : found;
    return new Promise((answer, bug) => this.#offer({ endpoint, hosts, from, to, answer, bug }, 0));
  }

  data(body: Body): Promise<Response> {
    if (this.#hop === undefined) return Promise.reject(new InvariantError('DATA follows an accepted RCPT'));
    return this.#hop.data(this.#noted(body));
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#answerMail(cancelledReply);
    return this.#hop?.close() ?? CLOSED;
  }

  /** Nothing was asked upstream: MAIL itself is fine, the recipient is not. */
  #refuse(response: Response): Promise<Response> {
    this.#answerMail(mailFine);
    return Promise.resolve(response);
  }

  /** Offers the message to host number `at`, MAIL and RCPT at once. */
  #offer(offer: Offer, at: number): void {
    const { endpoint, hosts, from, to, answer, bug } = offer;
    if (this.#isClosed) {
      answer(cancelledReply);
      return;
    }
    const host = hosts[at];
    this.#tx.offering?.(host ?? hostOf(endpoint));
    const next = this.#output.hopAt(endpoint);
    const hop = this.#output.offers.open(next, () => this.#open(next, host), from, to);
    this.#hop = hop;
    this.#rcpt = undefined;
    hop.mail(from).then((response) => this.#onMail(offer, at, hop, response), bug);
    hop.rcpt(to).then((response) => this.#onRcpt(offer, hop, response), bug);
  }

  #onMail(offer: Offer, at: number, hop: Exchange, response: Response): void {
    if (isTemporary(response) && at < offer.hosts.length - 1) {
      const host = offer.hosts[at];
      this.#tx.log.info({ host, response }, 'host refused for now, trying the next');
      hop.close().then(() => this.#offer(offer, at + 1), offer.bug);
      return;
    }
    this.#answerMail(response);
    this.#isMailTaken = isOk(response);
    if (!this.#isMailTaken) offer.answer(mailFailed(response));
    else if (this.#rcpt !== undefined) offer.answer(this.#rcpt);
  }

  /** After a refused MAIL nobody waits for RCPT any more; before it is answered, whoever asked must hear of MAIL first. */
  #onRcpt(offer: Offer, hop: Exchange, response: Response): void {
    if (hop !== this.#hop) return;
    if (this.#isMailTaken) offer.answer(response);
    else this.#rcpt = response;
  }

  /** With what the route wants to hear of the message. Notes that came with the body were meant for us and are not passed on. */
  #noted(body: Body): Body {
    const { route, parsed, signals } = this.#tx;
    const options = route?.options;
    // The key alone asks for it: its value is empty, or options of the parser.
    const wantsParsed = parsed !== undefined && options !== undefined && Object.hasOwn(options, 'receive_parsing');
    const wantsSignals = options?.send_filter_output === true;
    if (!wantsParsed && !wantsSignals && !hasNotes(body)) return body;
    const notes: HopBodyNotes = {
      ...(wantsParsed && { parsed }),
      ...(wantsSignals && { filterOutput: signals.toJson() }),
    };
    return hopBody(body, notes);
  }

  #open(next: Hop, host: HostPort | undefined): Exchange {
    const { route, signals } = this.#tx;
    const { config: timeouts, env } = this.#output;
    const sender = route?.sender ?? this.#tx.sender.name;
    const known = senderNamed(env, sender, route?.tag);
    const { remoteHost, localHost, smtpMeta } = this.#tx;
    const origin = { remoteHost: host ?? remoteHost, localHost, smtpMeta };
    const told = known === undefined ? origin : withOverrides(origin, known);
    return next.open({
      sender,
      tag: route?.tag,
      remoteHost: told.remoteHost,
      localHost: told.localHost,
      smtpMeta: told.smtpMeta,
      filterOutput: route?.options.send_filter_output === true ? signals.toJson() : undefined,
      rcptTimeoutMs: timeouts.rcptTimeoutMs,
      dataTimeoutMs: timeouts.dataTimeoutMs,
      createAt: 'rcpt',
      isWhole: this.#tx.isWhole,
    });
  }
}

/** The sender the next hop is asked for, when this router knows one of that name: the next hop is a router like it. */
function senderNamed({ senders }: ChainEnv, name: string, tag: string | undefined): SenderConfig | undefined {
  const family = senders.get(name);
  return tag === undefined ? family?.untagged : family?.tags.get(tag);
}

/** The next hop itself, where the route names no hosts behind it. */
function hostOf(endpoint: string): HostPort {
  const { hostname, port, protocol } = new URL(endpoint);
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) || (protocol === 'https:' ? 443 : 80) };
}
