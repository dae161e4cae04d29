/**
 * How many requests of one sender are at work at the same time: a sender that is busy, or gone wrong, takes no more than its share of the
 * router. Reads and signs of life are momentary and not counted.
 */
import { KeyedGate } from '../core/keyed-gate.ts';
import { limits } from '../core/limits.ts';
import { RequestProblem } from '../http/service.ts';

export class SenderGate {
  readonly #gate = new KeyedGate(limits.restInflightPerSender);
  readonly #maxOf: (sender: string) => number | undefined;

  constructor(maxOf: (sender: string) => number | undefined) {
    this.#maxOf = maxOf;
  }

  /** Does the work as one of the sender's; throws `RequestProblem` 429 when there is too much already. */
  async run<T>(sender: string, work: () => Promise<T>): Promise<T> {
    const max = this.#maxOf(sender) ?? limits.restInflightPerSender;
    if (!this.#gate.tryEnter(sender, max)) {
      const detail = `the sender ${sender} has ${max} requests at work already, try again`;
      throw new RequestProblem(429, detail, { headers: { 'retry-after': '1' } });
    }
    try {
      return await work();
    } finally {
      this.#gate.leave(sender);
    }
  }
}
