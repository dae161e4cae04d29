/** One MAIL and what follows it, as the session sees it: an exchange whose answers are remembered, so that it is known what may come next. */
import type { Body } from '../../core/body.ts';
import type { Log } from '../../core/deps.ts';
import type { Exchange } from '../../core/exchange.ts';
import type { Mailbox } from '../../core/mailbox.ts';
import { internalErrorReply, mailFailed } from '../../core/precondition.ts';
import { isOk, type Response, reply } from '../../core/response.ts';
import { forwardedMail, isSmtpUtf8 } from './esmtp-params.ts';

export class MailTransaction {
  readonly isSmtpUtf8: boolean;
  readonly #exchange: Exchange;
  readonly #log: Log;
  readonly #mail: Promise<Response>;
  #mailReply: Response | undefined;
  #rcpts = 0;
  #accepted = 0;
  #closed: Promise<void> | undefined;

  constructor(exchange: Exchange, from: Mailbox, log: Log) {
    this.#exchange = exchange;
    this.#log = log;
    this.isSmtpUtf8 = isSmtpUtf8(from);
    this.#mail = this.#guard(exchange.mail(forwardedMail(from))).then((response) => {
      this.#mailReply = response;
      // Nothing can come of it, and the client may stay long without another command.
      if (!isOk(response)) void this.close();
      return response;
    });
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
  async rcpt(to: Mailbox): Promise<Response> {
    if (this.#mailReply !== undefined && !isOk(this.#mailReply)) return mailFailed(this.#mailReply);
    this.#rcpts += 1;
    const asked = this.#guard(this.#exchange.rcpt(to));
    const mailReply = await this.#mail;
    if (!isOk(mailReply)) return mailFailed(mailReply);
    const response = await asked;
    if (isOk(response)) this.#accepted += 1;
    return response;
  }

  /** Why DATA makes no sense now; to be asked when all answers are known (RFC 5321 §3.3). */
  get dataRefusal(): Response | undefined {
    if (this.#mailReply !== undefined && !isOk(this.#mailReply)) return mailFailed(this.#mailReply);
    if (this.#accepted > 0) return undefined;
    return this.#rcpts === 0 ? reply(503, '5.5.1', 'need RCPT first') : reply(554, '5.5.1', 'no valid recipients');
  }

  data(body: Body): Promise<Response> {
    return this.#guard(this.#exchange.data(body));
  }

  /** Ends the exchange; cancels what is unfinished. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#exchange.close().catch((error: unknown) => {
      this.#log.error({ error }, 'an exchange could not be closed');
    });
    return this.#closed;
  }

  /** A rejection is a bug on the other side of the exchange: the client may try again. */
  async #guard(step: Promise<Response>): Promise<Response> {
    try {
      return await step;
    } catch (error) {
      this.#log.error({ error }, 'a step of an exchange failed');
      return internalErrorReply;
    }
  }
}
