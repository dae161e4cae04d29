/** Sends replies in the order of the commands they answer, whatever the order in which they become known (RFC 2920 §3.2). */
import type { Response } from '../../core/response.ts';
import type { Answered } from './mail-taker.ts';

export interface ReplyWriter {
  /** Takes the next reply; it leaves with `flush`, or with more of them. */
  write(response: Response): void;
  /** What was written is to leave when this turn of the loop is over. */
  flush(): void;
}

interface Slot {
  /** Absent while nobody knows. */
  response: Response | undefined;
}

export class ReplyQueue {
  readonly #writer: ReplyWriter;
  /** Of the commands that are not answered yet, oldest first. */
  readonly #slots: Slot[] = [];
  #onIdle: (() => void)[] = [];

  constructor(writer: ReplyWriter) {
    this.#writer = writer;
  }

  /** Replies that are not written yet. */
  get pending(): number {
    return this.#slots.length;
  }

  /** Queues the answer of a command. Who answers a line sees to it that it leaves. */
  push(response: Response): undefined {
    if (this.#slots.length === 0) this.#writer.write(response);
    else this.#slots.push({ response });
    return undefined;
  }

  /** Keeps the place of an answer that is still to come. */
  expect(): Answered {
    const slot: Slot = { response: undefined };
    this.#slots.push(slot);
    return (response) => {
      slot.response = response;
      if (this.#slots[0] === slot) this.#writeKnown();
    };
  }

  /** Resolves when no reply is left to be written. */
  idle(): Promise<void> {
    if (this.#slots.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  #writeKnown(): void {
    for (let next = this.#slots[0]?.response; next !== undefined; next = this.#slots[0]?.response) {
      this.#slots.shift();
      this.#writer.write(next);
    }
    this.#writer.flush();
    if (this.#slots.length > 0 || this.#onIdle.length === 0) return;
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const wake of waiting) wake();
  }
}
