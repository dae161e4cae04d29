/** Sends replies in the order of the commands they answer, whatever the order in which they become known (RFC 2920 §3.2). */
import type { Response } from '../../core/response.ts';

interface Slot {
  /** Absent while nobody knows. */
  response: Response | undefined;
}

export class ReplyQueue {
  readonly #write: (response: Response) => void;
  /** Of the commands that are not answered yet, oldest first. */
  readonly #slots: Slot[] = [];
  #onIdle: (() => void)[] = [];

  constructor(write: (response: Response) => void) {
    this.#write = write;
  }

  /** Replies that are not written yet. */
  get pending(): number {
    return this.#slots.length;
  }

  /** Queues the answer of a command; a promise must not reject. */
  push(answer: Response | Promise<Response>): void {
    if (answer instanceof Promise) this.#await(answer);
    else if (this.#slots.length === 0) this.#write(answer);
    else this.#slots.push({ response: answer });
  }

  /** Resolves when no reply is left to be written. */
  idle(): Promise<void> {
    if (this.#slots.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  #await(answer: Promise<Response>): void {
    const slot: Slot = { response: undefined };
    this.#slots.push(slot);
    void answer.then((response) => {
      slot.response = response;
      this.#writeKnown();
    });
  }

  #writeKnown(): void {
    for (let next = this.#slots[0]?.response; next !== undefined; next = this.#slots[0]?.response) {
      this.#slots.shift();
      this.#write(next);
    }
    if (this.#slots.length > 0 || this.#onIdle.length === 0) return;
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const wake of waiting) wake();
  }
}
