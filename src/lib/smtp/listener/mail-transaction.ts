/** One MAIL and what follows it, as the session sees it: an exchange whose answers are remembered, so that it is known what may come next. */
import type { Body } from '../../core/body.ts';
import type { Log } from '../../core/deps.ts';
import type { Exchange } from '../../core/exchange.ts';
import type { Mailbox } from '../../core/mailbox.ts';
import { internalErrorReply, mailFailed } from '../../core/precondition.ts';
import { isOk, type Response, reply } from '../../core/response.ts';
import { forwardedMail, isSmtpUtf8 } from './esmtp-params.ts';

/** Where to complain. */
export interface Complaints {
  readonly log: Log;
  /** Id of the session. */
  readonly session: string;
}

const needRcpt = reply(503, '5.5.1', 'need RCPT first');
const noValidRcpts = reply(554, '5.5.1', 'no valid recipients');

export class MailTransaction {
  readonly isSmtpUtf8: boolean;
  readonly #exchange: Exchange;
  readonly #complaints: Complaints;
  readonly #mail: Promise<Response>;
  #mailReply: Response | undefined;
  #rcpts = 0;
  #accepted = 0;
  #closed: Promise<void> | undefined;

  constructor(exchange: Exchange, from: Mailbox, complaints: Complaints) {
    this.#exchange = exchange;
    this.#complaints = complaints;
    this.isSmtpUtf8 = isSmtpUtf8(from);
    this.#mail = exchange.mail(forwardedMail(from)).then(this.#onMail, (error) => this.#onMail(this.#onBug(error)));
  }

  /** The answer to MAIL. No call of a transaction rejects. */
  get mail(): Promise<Response> {
    return this.#mail;
  }

  /** MAIL was refused: the transaction exists only to say so to what the client had sent already. */
  get isRefused(): boolean {
    return this.#mailReply !== undefined && !isOk(this.#mailReply);
  }

  /** Recipients asked for so far. */
  get rcpts(): number {
    return this.#rcpts;
  }

  /** Asks without waiting for the answer to MAIL: the client has not waited either. */
  rcpt(to: Mailbox): Response | Promise<Response> {
    if (this.#mailReply !== undefined && !isOk(this.#mailReply)) return mailFailed(this.#mailReply);
    this.#rcpts += 1;
    const answer = this.#exchange.rcpt(to).then(this.#onRcpt, this.#onBug);
    return this.#mailReply === undefined ? this.#afterMail(answer) : answer;
  }

  /** Why DATA makes no sense now; to be asked when all answers are known (RFC 5321 §3.3). */
  get dataRefusal(): Response | undefined {
    if (this.#mailReply !== undefined && !isOk(this.#mailReply)) return mailFailed(this.#mailReply);
    if (this.#accepted > 0) return undefined;
    return this.#rcpts === 0 ? needRcpt : noValidRcpts;
  }

  data(body: Body): Promise<Response> {
    return this.#exchange.data(body).catch(this.#onBug);
  }

  /** Ends the exchange; cancels what is unfinished. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#exchange.close().catch((error: unknown) => {
      const { log, session } = this.#complaints;
      log.error({ session, error }, 'an exchange could not be closed');
    });
    return this.#closed;
  }

  /** When MAIL is refused, that is the recipient's answer too, whatever the exchange says of it. */
  async #afterMail(answer: Promise<Response>): Promise<Response> {
    const mailReply = await this.#mail;
    return isOk(mailReply) ? answer : mailFailed(mailReply);
  }

  readonly #onMail = (response: Response): Response => {
    this.#mailReply = response;
    // Nothing can come of it, and the client may stay long without another command.
    if (!isOk(response)) void this.close();
    return response;
  };

  readonly #onRcpt = (response: Response): Response => {
    if (isOk(response)) this.#accepted += 1;
    return response;
  };

  /** A rejection is a bug on the other side of the exchange: the client may try again. */
  readonly #onBug = (error: unknown): Response => {
    const { log, session } = this.#complaints;
    log.error({ session, error }, 'a step of an exchange failed');
    return internalErrorReply;
  };
}
