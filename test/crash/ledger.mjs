/**
 * Which recipients were promised what, what has arrived, and why something arrived twice: the account of a run, and what has to be settled before
 * it is closed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isExplained } from './ends.mjs';
import { addressOf, idOf, isLarge, isRefused } from './messages.mjs';
import { decide, leftOver, listed, read } from './queue.mjs';

/** Of more nobody reads the histories. */
const STUCK_SHOWN = 10;

export class Ledger {
  #far;
  #ends;
  /** Recipients to whom a message was promised; each gets it, or whoever sent it is told. */
  #promised = new Set();
  /** Of these a client has asked to forget it. */
  #cancelled = new Set();
  #ways = {};
  #uncertain = { arrived: 0, notArrived: 0 };
  #stuck = [];
  /** Of each recipient of a large message, the programs there were when it was promised. */
  #livesAtPromise = new Map();
  /** What the store says of each message that arrived several times. */
  #stories = new Map();
  #lastPromiseAt = performance.now();
  #longestSilenceMs = 0;

  constructor(far, ends) {
    this.#far = far;
    this.#ends = ends;
  }

  /** Messages, whatever the number of their recipients. */
  promises = 0;

  /** `lives`: the programs that run now. */
  promised(rcpts, way, lives) {
    this.listens();
    this.#lastPromiseAt = performance.now();
    this.promises += 1;
    this.#ways[way] = (this.#ways[way] ?? 0) + 1;
    for (const rcpt of rcpts) {
      this.#promised.add(rcpt);
      if (isLarge(idOf(rcpt))) this.#livesAtPromise.set(rcpt, lives);
    }
  }

  /** It need not arrive any more, but may. */
  cancelled(rcpt) {
    this.#cancelled.add(rcpt);
  }

  /** How long nobody has been promised anything, while clients asked all the time; the longest such time is in the account. */
  listens() {
    const silenceMs = performance.now() - this.#lastPromiseAt;
    this.#longestSilenceMs = Math.max(this.#longestSilenceMs, silenceMs);
    return silenceMs;
  }

  /** The programs are there. */
  begins() {
    this.#lastPromiseAt = performance.now();
  }

  #isOpen(rcpt) {
    if (this.#cancelled.has(rcpt)) return false;
    return !(isRefused(rcpt) ? this.#far.bounced : this.#far.arrivals).has(rcpt);
  }

  get #open() {
    return [...this.#promised].filter((rcpt) => this.#isOpen(rcpt));
  }

  /** Large messages that a program brought which did not take them: the bytes are those of the disk. */
  get #largeOfDisk() {
    const isOfDisk = ([rcpt, lives]) =>
      this.#far.arrivals.get(rcpt)?.some(({ router }) => router !== undefined && !lives.includes(router));
    return [...this.#livesAtPromise].filter(isOfDisk);
  }

  get #twice() {
    return [...this.#far.arrivals].filter(([, copies]) => copies.length > 1);
  }

  /** Of how many recipients the message, or the news that it was refused, has not come, and how much was in the queue when it was last looked at. */
  waitsFor() {
    return { recipients: this.#open.length, queued: this.#stuck.length };
  }

  /** Waits until everything has arrived and nothing is left to be done, deciding about what is uncertain as an operator who knows would. */
  async settle(ports, deadlineMs) {
    const deadline = performance.now() + deadlineMs;
    const isWaiting = () => this.#stuck.length > 0 || this.#open.length > 0;
    do {
      await this.#decide(ports);
      this.#stuck = await leftOver(ports);
      await sleep(isWaiting() ? 100 : 0);
    } while (isWaiting() && performance.now() < deadline);
  }

  /** Looks at what is left, and at what came several times, when nothing more is expected. */
  async close(ports) {
    await this.#decide(ports);
    this.#stuck = await histories(ports, await leftOver(ports));
    for (const [rcpt] of this.#twice) this.#stories.set(rcpt, await storyOf(ports, rcpt));
  }

  async #decide(ports) {
    for (const doubtful of await listed(ports, 'state=uncertain')) {
      const hasArrived = this.#far.arrivals.has(doubtful.rcpt_to[0]?.split('@')[0]);
      this.#uncertain[hasArrived ? 'arrived' : 'notArrived'] += 1;
      await decide(ports, doubtful, hasArrived ? 'cancel' : 'retry');
    }
  }

  account() {
    const { arrivals, bounced, altered, misdirected } = this.#far;
    const unexplained = this.#twice.filter(
      ([rcpt, copies]) => !isExplained(copies, this.#stories.get(rcpt), this.#ends),
    );
    return {
      promised: this.promises,
      recipients: this.#promised.size,
      ways: this.#ways,
      large: { recipients: this.#livesAtPromise.size, afterRestart: this.#largeOfDisk.length },
      cancelled: this.#cancelled.size,
      arrived: arrivals.size,
      lost: this.#open.filter((rcpt) => !isRefused(rcpt)),
      untold: this.#open.filter(isRefused),
      altered,
      misdirected,
      stuck: this.#stuck,
      uncertain: this.#uncertain,
      bounced: bounced.size,
      bouncedTwice: [...bounced.values()].filter((copies) => copies.length > 1).length,
      /** Told of twice: by two notifications, or by copies of one without a reason. */
      toldTwice: [...bounced]
        .filter(([, copies]) => !isToldOnce(copies, this.#ends, this.#uncertain.notArrived > 0))
        .map(([rcpt, copies]) => ({ rcpt, copies })),
      twice: this.#twice.length,
      /** Of these the delivery journal knows that an attempt was cut off after the final dot. */
      journalled: [...this.#stories.values()].filter((story) => story?.cutOff > 0).length,
      unexplained: unexplained.map(([rcpt, copies]) => ({ rcpt, copies, story: this.#stories.get(rcpt) })),
      longestSilenceMs: Math.round(this.#longestSilenceMs),
    };
  }
}

/** What was decided by hand may have been decided for a second copy: nobody looks up whether a notification has arrived. */
function isToldOnce(copies, ends, isDecided) {
  const isOneNotification = new Set(copies.map(({ notification }) => notification)).size === 1;
  return isOneNotification && (isDecided || copies.length === 1 || isExplained(copies, undefined, ends));
}

/** What an operator would look at first. */
function histories(ports, left) {
  return Promise.all(left.slice(0, STUCK_SHOWN).map(({ uri }) => read(ports, `${new URL(uri).pathname}/history`)));
}

/**
 * How many attempts recorded that the far end took the message, how many never recorded an answer, and of how many of those the dot is known; undefined
 * when the store has forgotten the message.
 */
async function storyOf(ports, rcpt) {
  const found = await listed(ports, `to=${addressOf(rcpt)}`);
  // A conversation with several recipients is there too; each of them has a transaction of its own.
  const tx = found.find(({ parent }) => parent !== undefined) ?? found[0];
  if (tx === undefined) return undefined;
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
