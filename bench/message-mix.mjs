/**
 * The messages of a run that are not all of the same size. Which size one has follows from its number, so that the sink knows it too, and numbers that
 * follow each other are on their way at the same time: memory or files that are used again go from one size to another.
 */
import { MessageKind } from './message.mjs';

export class MessageMix {
  #kinds;

  /** `sizes`: that of message 0, 1 and so on, and then from the first again; else all have `sizeBytes`. */
  constructor(runId, { sizeBytes, sizes = [sizeBytes] }) {
    const kinds = new Map(sizes.map((bytes) => [bytes, new MessageKind(runId, bytes)]));
    this.#kinds = sizes.map((bytes) => kinds.get(bytes));
  }

  /** The same for all sizes. */
  get recipient() {
    return this.#kinds[0].recipient;
  }

  /** What is to arrive of message 0, 1 and so on. */
  get crcs() {
    const crcOf = this.prepare((kind) => kind.crc);
    return this.#kinds.map((_, number) => crcOf(number));
  }

  /** What `make` makes of each kind, once, by the number of a message. */
  prepare(make) {
    const made = new Map();
    for (const kind of this.#kinds) if (!made.has(kind)) made.set(kind, make(kind));
    const inTurn = this.#kinds.map((kind) => made.get(kind));
    return (number) => inTurn[number % inTurn.length];
  }
}
