/**
 * How much of one sender is at work at the same time: a sender that is busy, or gone wrong, takes no more of the router than it may. Requests
 * count, and where its bound is configured, SMTP conversations too. Reads and signs of life are momentary and not counted.
 */
import type { Admission, Door } from '../core/admission.ts';
import { KeyedGate } from '../core/keyed-gate.ts';
import { limits } from '../core/limits.ts';
import { RequestProblem } from '../http/service.ts';

export class SenderGate {
  readonly #gate = new KeyedGate(limits.restInflightPerSender);
  readonly #conversations = new KeyedGate(limits.conversations);
  readonly #admission: Admission;
  readonly #maxOf: (sender: string) => number | undefined;

  constructor(maxOf: (sender: string) => number | undefined, admission: Admission) {
    this.#maxOf = maxOf;
    this.#admission = admission;
  }

  /** Counts a conversation of a bounded sender; the returned function ends that. Throws `RequestProblem` 429 when there are too many already. */
  converse(sender: string): (() => void) | undefined {
    const max = this.#maxOf(sender);
    if (max === undefined) return undefined;
    if (!this.#conversations.tryEnter(sender, max)) {
      throw this.#tooMuch(`the sender ${sender} has ${max} transactions at work already, try again`, 'mail');
    }
    return () => this.#conversations.leave(sender);
  }

  /** Does the work as one of the sender's; throws `RequestProblem` 429 when there is too much already. */
  run<T>(sender: string, work: () => Promise<T>): Promise<T> {
    const max = this.#maxOf(sender) ?? limits.restInflightPerSender;
    if (!this.#gate.tryEnter(sender, max)) {
      throw this.#tooMuch(`the sender ${sender} has ${max} requests at work already, try again`, 'create');
    }
    let working: Promise<T>;
    try {
      working = work();
    } catch (error) {
      this.#gate.leave(sender);
      throw error;
    }
    return working.then(
      (result) => {
        this.#gate.leave(sender);
        return result;
      },
      (error: unknown) => {
        this.#gate.leave(sender);
        throw error;
      },
    );
  }

  #tooMuch(detail: string, door: Door): RequestProblem {
    this.#admission.refused(door, 'share');
    return new RequestProblem(429, detail, { headers: { 'retry-after': '1' } });
  }
}
