/** One recipient of a transaction with a destination, and who waits for its answer. That comes after the one to MAIL. */
import type { Mailbox } from '../core/mailbox.ts';
import { internalErrorReply, mailFailed, rcptsFailed } from '../core/precondition.ts';
import { isOk, isTemporary, type Response, reply } from '../core/response.ts';

export class SmtpRecipient {
  readonly to: Mailbox;
  /** RCPT is on its way on the connection that is held. */
  isSent = false;
  /** The destination's answer, or why it was not asked. */
  answer: Response | undefined;
  /** Whoever asked has the answer. */
  isSettled = false;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (bug: unknown) => void;

  constructor(to: Mailbox, resolve: (response: Response) => void, reject: (bug: unknown) => void) {
    this.to = to;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get isAccepted(): boolean {
    return this.answer !== undefined && isOk(this.answer);
  }

  /** Answers as soon as it can; a RCPT that went out behind a MAIL that was refused still waits for its reply. */
  settle(mail: Response | undefined): void {
    if (mail === undefined || this.isSettled) return;
    if (!isOk(mail) && (!this.isSent || this.answer !== undefined)) this.answer = mailFailed(mail);
    if (this.answer === undefined) return;
    this.isSettled = true;
    this.#resolve(this.answer);
  }

  fail(bug: unknown): void {
    this.answer = internalErrorReply;
    this.isSettled = true;
    this.#reject(bug);
  }

  /** The connection was stale: nothing has been asked. */
  forget(): void {
    this.isSent = false;
    this.answer = undefined;
  }
}

export const noRecipients = reply(554, '5.5.1', 'no valid recipients');

/** The answer to a message that none of the recipients is to get. */
export function noneAccepted(rcpts: readonly SmtpRecipient[]): Response {
  const answers = rcpts.map(({ answer }) => answer ?? noRecipients);
  return answers.some(isTemporary) ? rcptsFailed(answers) : noRecipients;
}
