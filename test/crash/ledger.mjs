/**
 * Who was promised what, what has arrived, and why something arrived twice: the account of a run, and what has to be settled before it is closed.
 * What arrived several times is explained by the store: each copy but one belongs to an attempt that never recorded an answer of the far end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { decide, leftOver, listed, read } from './queue.mjs';

export class Ledger {
  #options;
  #far;
  /** How each message was handed in that somebody was promised. */
  #promised = new Map();
  #uncertain = { arrived: 0, notArrived: 0 };
  #stuck = [];
  /** What the store says of each message that arrived several times. */
  #stories = new Map();

  constructor(options, far) {
    this.#options = options;
    this.#far = far;
  }

  get promises() {
    return this.#promised.size;
  }

  promised(id, way) {
    this.#promised.set(id, way);
  }

  get #lost() {
    return [...this.#promised.keys()].filter((id) => !this.#far.arrivals.has(id));
  }

  get #twice() {
    return [...this.#far.arrivals].filter(([, copies]) => copies.length > 1);
  }

  /** Waits until everything has arrived and nothing is left to be done, deciding about what is uncertain as an operator who knows would. */
  async close(ports, deadlineMs, quietMs) {
    const deadline = performance.now() + deadlineMs;
    do {
      await this.#decide(ports);
      this.#stuck = await leftOver(ports);
      await sleep(this.#stuck.length > 0 || this.#lost.length > 0 ? 100 : 0);
    } while ((this.#stuck.length > 0 || this.#lost.length > 0) && performance.now() < deadline);
    // What would come a second time without reason has the time of a take-over and one more retry to do so.
    await sleep(quietMs);
    await this.#decide(ports);
    this.#stuck = await leftOver(ports);
    for (const [id] of this.#twice) this.#stories.set(id, await storyOf(ports, id));
  }

  async #decide(ports) {
    for (const doubtful of await listed(ports, 'state=uncertain')) {
      const hasArrived = this.#far.arrivals.has(doubtful.rcpt_to[0]?.split('@')[0]);
      this.#uncertain[hasArrived ? 'arrived' : 'notArrived'] += 1;
      await decide(ports, doubtful, hasArrived ? 'cancel' : 'retry');
    }
  }

  account() {
    const { seed, kills, engine, shape, policy } = this.#options;
    const { arrivals, notifications } = this.#far;
    const ways = {};
    for (const way of this.#promised.values()) ways[way] = (ways[way] ?? 0) + 1;
    const unexplained = this.#twice.filter(([id, copies]) => !isExplained(this.#stories.get(id), copies.length));
    return {
      engine,
      shape,
      policy,
      seed,
      kills,
      promised: this.promises,
      ways,
      arrived: arrivals.size,
      lost: this.#lost,
      stuck: this.#stuck.map(({ id, state }) => ({ id, state })),
      uncertain: this.#uncertain,
      notifications,
      twice: this.#twice.length,
      /** Of these the delivery journal knows that an attempt was cut off after the final dot. */
      journalled: [...this.#stories.values()].filter(({ cutOff }) => cutOff > 0).length,
      unexplained: unexplained.map(([id, copies]) => ({ id, copies, story: this.#stories.get(id) })),
    };
  }
}

/** How many attempts recorded that the far end took the message, how many never recorded an answer, and of how many of those the dot is known. */
async function storyOf(ports, id) {
  const [tx] = await listed(ports, `to=${id}@example.com`);
  if (tx === undefined) return { delivered: 0, unrecorded: 0, cutOff: 0 };
  const { attempt_list: attempts } = await read(ports, `${new URL(tx.uri).pathname}/history`);
  const unended = attempts.filter(({ ended_at: endedAt }) => endedAt === undefined);
  const isSilent = ({ ended_at: endedAt, dot_sent_at: sentAt, data_response: answer }) =>
    endedAt !== undefined && sentAt !== undefined && answer?.code === 450;
  return {
    delivered: attempts.filter(({ data_response: answer }) => answer?.code === 250).length,
    unrecorded: unended.length + attempts.filter(isSilent).length,
    cutOff: unended.filter(({ dot_sent_at: sentAt }) => sentAt !== undefined).length,
  };
}

function isExplained({ delivered, unrecorded }, copies) {
  return delivered <= 1 && copies <= delivered + unrecorded;
}
