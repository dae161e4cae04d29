/** One who is measured: how much of a load is a run for it, its warm-up, and what its runs said. */
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './clock.mjs';
import { measure, untilReady } from './measure.mjs';
import { forgetPeaks } from './process-usage.mjs';
import { storeUsageOf } from './store-usage.mjs';
import { countSyncs } from './syncs.mjs';

/** The first look at how fast somebody is. */
const PROBE_MESSAGES = 50;
/** A warm-up is made of pieces of this length, until the next is no faster, and not for ever. */
const WARMUP_S = 2;
const WARMUP_PIECES = 6;
/** So much faster is no faster: what is left is the noise. */
const WARM_WITHIN = 1.05;
const COUNT_MAX = 500_000;
const LOOK_AGAIN_MS = 500;

export class Contestant {
  #environment;
  #load;
  #harness;
  #options;
  #count;
  #runs = [];
  #syncs;
  #isPeer;
  /** Messages, of all runs and of the warm-up. */
  #accepted = 0;

  constructor(name, environment, load, { harness, options, isPeer = false }) {
    this.name = name;
    this.#isPeer = isPeer;
    this.#environment = environment;
    this.#load = load;
    this.#harness = harness;
    this.#options = options;
  }

  /** How many messages are a run at full speed. */
  get count() {
    return this.#count;
  }

  get result() {
    const result = { name: this.name, isPeer: this.#isPeer, count: this.#count, runs: this.#runs };
    return this.#syncs === undefined ? result : { ...result, syncs: this.#syncs };
  }

  /** Until a message gets through; then so many messages, or so long, that code is compiled and pools are filled. */
  async warmUp(theCase) {
    if (this.#environment.measure !== undefined) return;
    this.#accepted += await untilReady(this.#environment, this.#harness, this.#load);
    const { countOf, warmupOf, seconds } = this.#options;
    this.#count = theCase.count ?? countOf(theCase, this.#load);
    if (this.#count !== undefined) {
      const warmup = warmupOf(this.#count);
      if (warmup > 0) await this.#measure({ count: warmup });
      return;
    }
    const probe = await this.#measure({ count: Math.max(PROBE_MESSAGES, 2 * this.#load.sessions) });
    let warm = await this.#measure({ count: countIn(WARMUP_S, probe, this.#load) });
    for (let piece = 1; piece < WARMUP_PIECES; piece += 1) {
      const next = await this.#measure({ count: countIn(WARMUP_S, warm, this.#load) });
      const isWarm = next.delivered_per_s < warm.delivered_per_s * WARM_WITHIN;
      warm = next;
      if (isWarm) break;
    }
    this.#count = countIn(seconds, warm, this.#load);
  }

  /** `pace`: so many messages are offered in a second, for as long as a run is; without, as many as go through. */
  async run({ pace } = {}) {
    const { seconds = 1 } = this.#options;
    const own = this.#environment.measure;
    const piece = pace === undefined ? { count: this.#count } : { count: Math.ceil(pace * seconds), pace };
    const run = await (own === undefined ? this.#measure(piece) : own({ seconds }));
    const { soak } = this.#options;
    const { store } = this.#environment;
    if (soak !== undefined && store !== undefined) Object.assign(run, await storeUsageOf(store, this.#accepted));
    this.#runs.push(run);
    return run;
  }

  /** So many messages at full speed, apart from the runs. */
  burst(count) {
    return this.#measure({ count });
  }

  /** Resolves when what has ended is collected, or after `limitMs`, with how many transactions are left. */
  async untilCollected(limitMs) {
    const { store, ended } = this.#environment;
    const until = now() + limitMs;
    for (;;) {
      const { transactions } = await store.contents();
      if (transactions === 0 || now() > until) return transactions;
      await sleep(LOOK_AGAIN_MS);
      ended.throwIfAborted();
    }
  }

  /** A run of its own, because counting costs a little. */
  async countSyncs() {
    const { pids, storePids } = this.#environment;
    if (pids === undefined) return;
    this.#syncs = await countSyncs([...pids, ...storePids], () => this.#measure({ count: this.#count }));
  }

  forgetPeak() {
    forgetPeaks(this.#environment.pids ?? []);
  }

  async #measure(piece) {
    const run = await measure(this.#environment, this.#harness, { ...this.#load, ...piece });
    this.#accepted += run.accepted / this.#load.rcpts;
    return run;
  }
}

/** How many messages somebody needs `seconds` for who was as fast as that. */
const countIn = (seconds, { delivered_per_s: rate }, { sessions }) =>
  Math.round(Math.min(COUNT_MAX, Math.max(2 * sessions, rate * seconds)));
