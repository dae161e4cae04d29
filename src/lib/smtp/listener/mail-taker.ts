/** What a session needs of whoever takes its mail: an exchange for each MAIL, whose answers are called back. */
import type { Body } from '../../core/body.ts';
import type { Mailbox } from '../../core/mailbox.ts';
import type { Response } from '../../core/response.ts';

/** Hears the answer to a step: once, at once or later. */
export type Answered = (response: Response) => void;

/**
 * Asked in the order mail, rcpt…, data, without waiting for answers, as `Exchange` is. Answers are called back instead of promised because they go
 * through several hands, each of which would make another promise of them. No call throws.
 */
export interface MailTaker {
  mail(from: Mailbox, answered: Answered): void;
  rcpt(to: Mailbox, answered: Answered): void;
  data(body: Body, answered: Answered): void;
  /** Cancels whatever is unfinished; called once, in any case. */
  close(closed: () => void): void;
}
