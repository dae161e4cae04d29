/** Who was promised what, what has arrived, and why something arrived twice: the account of a run, and what has to be settled before it is closed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { decide, leftOver, listed } from './queue.mjs';

/** From a final dot to the record of its answer, on a machine that has other things to do. */
const WINDOW_MS = 3000;

export class Ledger {
  #options;
  #far;
  /** How each message was handed in that somebody was promised. */
  #promised = new Map();
  /** When each life of a program was stopped, or ended, by its name. */
  #endedAt = new Map();
  #troubles = [];
  #uncertain = { arrived: 0, notArrived: 0 };
  #stuck = [];
  #cutOff = new Set();

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

  ended(life) {
    this.#endedAt.set(life, [...(this.#endedAt.get(life) ?? []), performance.now()]);
  }

  troubled(from, to) {
    this.#troubles.push({ from, to: to + WINDOW_MS });
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
    for (const [id] of this.#twice) if (await isCutOff(ports, id)) this.#cutOff.add(id);
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
    const unexplained = this.#twice.filter(
      ([, copies]) => !copies.slice(0, -1).every((copy) => this.#isUnrecorded(copy)),
    );
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
      /** Of these the delivery journal knows that they were cut off after the final dot. */
      journalled: this.#cutOff.size,
      unexplained: unexplained.map(([id, copies]) => ({ id, copies: copies.map((copy) => this.#told(copy)) })),
    };
  }

  #told(copy) {
    return { ...copy, endedAt: [copy.client, copy.router].flatMap((life) => this.#endedAt.get(life) ?? []) };
  }

  /** Whether the answer to this copy may have been lost: who was to record it, or to pass it on, ended in that moment. */
  #isUnrecorded({ client, router, at }) {
    const isCut = this.#troubles.some(({ from, to }) => at > from - WINDOW_MS && at < to);
    // What a router had handed over, its gateway sends though the router is gone.
    const isEnd = (endedAt) => Math.abs(endedAt - at) < WINDOW_MS || (isCut && endedAt > at);
    return [client, router].some((life) => this.#endedAt.get(life)?.some(isEnd));
  }
}

/** Whether an attempt of it was sent whole and never ended. */
async function isCutOff(ports, id) {
  const [tx] = await listed(ports, `to=${id}@example.com`);
  if (tx === undefined) return false;
  const history = await (await fetch(`http://127.0.0.1:${ports[0]}${new URL(tx.uri).pathname}/history`)).json();
  return history.attempt_list.some(({ dot_sent_at: sentAt, ended_at: endedAt }) => sentAt && !endedAt);
}
