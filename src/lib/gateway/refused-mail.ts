/**
 * A message that is refused for want of room. The client hears so a little later: it would else try again at once, with the whole session to
 * itself, and keep a busy process busier.
 */
import type { Clock } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { Response } from '../core/response.ts';
import type { Answered, MailTaker } from '../smtp/listener/mail-taker.ts';

export class RefusedMail implements MailTaker {
  readonly #response: Response;
  readonly #clock: Pick<Clock, 'after'>;
  /** Answers MAIL now. */
  #answer: (() => void) | undefined;

  constructor(response: Response, clock: Pick<Clock, 'after'>) {
    this.#response = response;
    this.#clock = clock;
  }

  mail(_from: Mailbox, answered: Answered): void {
    const cancel = this.#clock.after(limits.smtpRefusalMs, () => this.#answer?.());
    this.#answer = () => {
      this.#answer = undefined;
      cancel();
      answered(this.#response);
    };
  }

  rcpt(_to: Mailbox, answered: Answered): void {
    answered(this.#response);
  }

  data(_body: unknown, answered: Answered): void {
    answered(this.#response);
  }

  close(closed: () => void): void {
    this.#answer?.();
    closed();
  }
}
