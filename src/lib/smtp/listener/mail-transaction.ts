/** One MAIL and what follows it, as the session sees it: the answers are remembered, so that it is known what may come next. */
import type { Body } from '../../core/body.ts';
import type { Mailbox } from '../../core/mailbox.ts';
import { mailFailed } from '../../core/precondition.ts';
import { isOk, type Response, reply } from '../../core/response.ts';
import { forwardedMail, isSmtpUtf8 } from './esmtp-params.ts';
import type { Answered, MailTaker } from './mail-taker.ts';

const needRcpt = reply(503, '5.5.1', 'need RCPT first');
const noValidRcpts = reply(554, '5.5.1', 'no valid recipients');

export class MailTransaction {
  readonly isSmtpUtf8: boolean;
  readonly #taker: MailTaker;
  readonly #from: Mailbox;
  #mailReply: Response | undefined;
  /** What recipients asked for before MAIL was answered wait for. */
  #onMailReply: ((response: Response) => void)[] | undefined;
  #rcpts = 0;
  #accepted = 0;
  #isClosed = false;
  /** Present once the exchange is being closed. */
  #onClosed: (() => void) | undefined;

  constructor(taker: MailTaker, from: Mailbox) {
    this.#taker = taker;
    this.#from = from;
    this.isSmtpUtf8 = isSmtpUtf8(from);
  }

  /** MAIL was refused: the transaction exists only to say so to what the client had sent already. */
  get isRefused(): boolean {
    return this.#mailReply !== undefined && !isOk(this.#mailReply);
  }

  /** Recipients asked for so far. */
  get rcpts(): number {
    return this.#rcpts;
  }

  /** To be called first, once. */
  mail(answered: Answered): void {
    this.#taker.mail(forwardedMail(this.#from), (response) => {
      this.#mailReply = response;
      // Nothing can come of it, and the client may stay long without another command. Who closes it already, and has it answered by that, hears of the end.
      if (!isOk(response) && this.#onClosed === undefined) this.close(() => undefined);
      answered(response);
      const waiting = this.#onMailReply;
      this.#onMailReply = undefined;
      if (waiting !== undefined) for (const wake of waiting) wake(response);
    });
  }

  /** Asks without waiting for the answer to MAIL: the client has not waited either. */
  rcpt(to: Mailbox, answered: Answered): void {
    const mailReply = this.#mailReply;
    if (mailReply !== undefined && !isOk(mailReply)) {
      answered(mailFailed(mailReply));
      return;
    }
    this.#rcpts += 1;
    this.#taker.rcpt(to, (response) => {
      if (isOk(response)) this.#accepted += 1;
      this.#afterMail(response, answered);
    });
  }

  /** Why DATA makes no sense now; to be asked when all answers are known (RFC 5321 §3.3). */
  get dataRefusal(): Response | undefined {
    if (this.#mailReply !== undefined && !isOk(this.#mailReply)) return mailFailed(this.#mailReply);
    if (this.#accepted > 0) return undefined;
    return this.#rcpts === 0 ? needRcpt : noValidRcpts;
  }

  data(body: Body, answered: Answered): void {
    this.#taker.data(body, answered);
  }

  /** Ends the exchange, once; cancels what is unfinished. */
  close(onClosed: () => void): void {
    const isBegun = this.#onClosed !== undefined;
    this.#onClosed = onClosed;
    if (this.#isClosed) onClosed();
    else if (!isBegun) this.#taker.close(this.#closed);
  }

  readonly #closed = (): void => {
    this.#isClosed = true;
    this.#onClosed?.();
  };

  /** When MAIL is refused, that is the recipient's answer too, whatever the exchange says of it. */
  #afterMail(response: Response, answered: Answered): void {
    const answer = (mailReply: Response): void => answered(isOk(mailReply) ? response : mailFailed(mailReply));
    if (this.#mailReply !== undefined) {
      answer(this.#mailReply);
      return;
    }
    this.#onMailReply ??= [];
    this.#onMailReply.push(answer);
  }
}
