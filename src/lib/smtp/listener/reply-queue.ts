/** Sends replies in the order of the commands they answer, whatever the order in which they become known (RFC 2920 §3.2). */
import type { Response } from '../../core/response.ts';

export class ReplyQueue {
  readonly #write: (response: Response) => void;
  #last: Promise<void> = Promise.resolve();
  #pending = 0;

  constructor(write: (response: Response) => void) {
    this.#write = write;
  }

  /** Replies that are not written yet. */
  get pending(): number {
    return this.#pending;
  }

  /** Queues the answer of a command; a promise must not reject. */
  push(answer: Response | Promise<Response>): void {
    if (this.#pending === 0 && !(answer instanceof Promise)) {
      this.#write(answer);
      return;
    }
    this.#pending += 1;
    this.#last = this.#after(this.#last, answer);
  }

  /** Resolves when everything queued so far is written. */
  idle(): Promise<void> {
    return this.#last;
  }

  async #after(earlier: Promise<void>, answer: Response | Promise<Response>): Promise<void> {
    const response = await answer;
    await earlier;
    this.#pending -= 1;
    this.#write(response);
  }
}
