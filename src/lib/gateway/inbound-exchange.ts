/**
 * The exchange behind one MAIL of a gateway's listener: asks the next hop, never waits longer than a mail client does, and writes the one log line a
 * message gets.
 */
import type { Body } from '../core/body.ts';
import type { Deps, Log } from '../core/deps.ts';
import type { Exchange } from '../core/exchange.ts';
import { limits } from '../core/limits.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { internalErrorReply } from '../core/precondition.ts';
import { isOk, type Response, reply, responseClass } from '../core/response.ts';
import type { Answered, MailTaker } from '../smtp/listener/mail-taker.ts';

export interface InboundTimes {
  readonly mailMs: number;
  readonly rcptMs: number;
  readonly dataMs: number;
}

/** What the exchanges of a session have in common. */
export interface InboundSettings {
  readonly times: InboundTimes;
  readonly clock: Deps['clock'];
  /** With what identifies the session and where its mail goes; asked for only when there is something to be said. */
  readonly log: () => Log;
  /** Nobody reads what is not at least a warning. */
  readonly isQuiet: boolean;
  /** Called once for each exchange, when its upstream is closed. */
  readonly onClosed: () => void;
}

const mailTimeout = reply(450, '4.4.7', 'MAIL upstream timeout');
const rcptTimeout = reply(450, '4.4.7', 'RCPT upstream timeout');
/** Never 5xx: the message may still be delivered, and the client must keep it until somebody says so. */
const dataTimeout = reply(451, '4.4.7', 'DATA upstream timeout');

/** There is no room for it, here or further on (RFC 3463 §3.4). */
const isNoRoom = ({ enhanced }: Response): boolean => enhanced === '4.3.2';

export class InboundExchange implements MailTaker {
  readonly #settings: InboundSettings;
  readonly #upstream: Exchange;
  readonly #startedAt: number;
  #accepted = 0;
  #refused = 0;
  #sizeBytes: number | undefined;
  #verdict: Response | undefined;
  /** Tells the client now what it is kept waiting for. */
  #endWait: (() => void) | undefined;
  #hasWaited = false;

  constructor(upstream: Exchange, settings: InboundSettings) {
    this.#upstream = upstream;
    this.#settings = settings;
    this.#startedAt = settings.isQuiet ? 0 : settings.clock.monotonicMs();
  }

  mail(from: Mailbox, answered: Answered): void {
    this.#ask(this.#upstream.mail, from, this.#settings.times.mailMs, mailTimeout, (response) => {
      if (!isOk(response)) this.#verdict = response;
      this.#tell(response, answered);
    });
  }

  rcpt(to: Mailbox, answered: Answered): void {
    this.#ask(this.#upstream.rcpt, to, this.#settings.times.rcptMs, rcptTimeout, (response) => {
      if (isOk(response)) this.#accepted += 1;
      else this.#refused += 1;
      this.#tell(response, answered);
    });
  }

  /**
   * Whoever there is no room for hears so a little later, once in a transaction: he would else try again at once, and keep a busy process busier. It
   * takes nothing but the session he has anyway.
   */
  #tell(response: Response, answered: Answered): void {
    if (!isNoRoom(response) || this.#hasWaited) {
      answered(response);
      return;
    }
    this.#hasWaited = true;
    const forget = this.#settings.clock.after(limits.smtpRefusalMs, () => this.#endWait?.());
    this.#endWait = () => {
      this.#endWait = undefined;
      forget();
      answered(response);
    };
  }

  data(body: Body, answered: Answered): void {
    this.#sizeBytes = body.size;
    this.#ask(this.#upstream.data, body, this.#settings.times.dataMs, dataTimeout, (response) => {
      this.#verdict = response;
      answered(response);
    });
  }

  close(closed: () => void): void {
    const { log, isQuiet, onClosed } = this.#settings;
    const end = (): void => {
      onClosed();
      closed();
    };
    const onBug = (error: unknown): void => {
      log().error({ error }, 'an exchange could not be closed');
      end();
    };
    if (!isQuiet) this.#report();
    this.#endWait?.();
    try {
      this.#upstream.close().then(end, onBug);
    } catch (error) {
      onBug(error);
    }
  }

  /** No addresses and no text: those are the router's to log, with the transaction they belong to. */
  #report(): void {
    const { log, clock } = this.#settings;
    const verdict = this.#verdict;
    const fields = {
      tx: this.#upstream.transaction,
      sizeBytes: this.#sizeBytes,
      rcptsAccepted: this.#accepted,
      rcptsRefused: this.#refused,
      code: verdict?.code,
      enhanced: verdict?.enhanced,
      elapsedMs: Math.round(clock.monotonicMs() - this.#startedAt),
    };
    log().info(
      fields,
      verdict === undefined ? 'mail transaction ended without a message' : 'mail transaction answered',
    );
  }

  /** Hears the answer to a step in a form we may give, or `late` when it does not come in time. */
  #ask<V>(
    step: (this: Exchange, value: V) => Promise<Response>,
    value: V,
    ms: number,
    late: Response,
    hear: Answered,
  ): void {
    let isOver = false;
    const end = (response: Response): void => {
      if (isOver) return;
      isOver = true;
      forget();
      hear(toSmtp(response));
    };
    const forget = this.#settings.clock.after(ms, () => end(late));
    const onBug = (error: unknown): void => end(this.#onBug(error));
    try {
      step.call(this.#upstream, value).then(end, onBug);
    } catch (error) {
      onBug(error);
    }
  }

  /** A rejection is a bug in the next hop: nothing of it is told to the client, who may try again. */
  #onBug(error: unknown): Response {
    this.#settings.log().error({ error }, 'the next hop failed');
    return internalErrorReply;
  }
}

/**
 * A reply as we may give it. 421 ends a connection (RFC 5321 §3.8): coming from a far end it is about theirs, not about ours, and it would take the
 * other recipients with it. A code that is no final answer is none.
 */
function toSmtp(response: Response): Response {
  if (response.code === 421) return { ...response, code: 451 };
  return Number.isInteger(response.code) && responseClass(response) !== 'other' ? response : internalErrorReply;
}
