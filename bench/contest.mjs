/** One case: Koukan and those it is compared with, round after round, each once in every round, so that what disturbs the machine disturbs all of them. */
import { startEnvironment } from './environment.mjs';
import { measure, untilReady } from './measure.mjs';
import { forgetPeaks } from './process-usage.mjs';
import { printRun } from './report.mjs';
import { Stops } from './stops.mjs';
import { countSyncs } from './syncs.mjs';

/** The first look at how fast somebody is. */
const PROBE_MESSAGES = 50;
/** A warm-up is made of pieces of this length, until the next is no faster, and not for ever. */
const WARMUP_S = 2;
const WARMUP_PIECES = 6;
/** So much faster is no faster: what is left is the noise. */
const WARM_WITHIN = 1.05;
const COUNT_MAX = 500_000;

/**
 * Resolves with `{ name, count, runs, syncs }` of each, Koukan first. Of what was started for Koukan nothing is left; peers are those of the pool.
 * `others` are names of peers; `prepareAged` makes a second Koukan, with a store that has a past.
 */
export async function runCase(theCase, { others, prepareAged }, context) {
  const stops = new Stops();
  try {
    const contestants = await gather(theCase, { others, prepareAged }, context, stops);
    return await runRounds(theCase, contestants, context);
  } finally {
    for (const error of await stops.run()) context.complain(`${theCase.name}: ${error.message}`);
  }
}

/** All that take part, started and warm. */
async function gather(theCase, { others, prepareAged }, context, stops) {
  const { options, harness, interrupted } = context;
  const load = { ...options.load, ...theCase.load };
  const ready = async (name, environment, isPeer = false) => {
    const contestant = new Contestant(name, environment, load, { ...context, isPeer });
    await contestant.warmUp(theCase);
    return contestant;
  };
  if (options.target !== undefined) {
    const { target, pids } = options;
    return [await ready('relay', { target, pids, storePids: [], ended: interrupted })];
  }
  const settings = {
    store: theCase.store,
    sinkPort: harness.sinkPort,
    nodeOptions: options.nodeOptions,
    interrupted,
  };
  const koukan = (prepare) => startEnvironment(theCase, settings, stops, prepare);
  const contestants = [await ready('koukan', await koukan())];
  if (prepareAged) contestants.push(await ready('koukan-aged', await koukan(prepareAged)));
  return [...contestants, ...(await gatherPeers(others, ready, context))];
}

/** A peer that does not work is left out, and nobody else with it. */
async function gatherPeers(names, ready, { pool, interrupted, complain }) {
  const contestants = [];
  for (const name of names) {
    try {
      contestants.push(await ready(name, await pool.start(name), true));
    } catch (error) {
      interrupted.throwIfAborted();
      complain(`${name} is left out: ${error.message}`);
    }
  }
  return contestants;
}

async function runRounds(theCase, contestants, { options }) {
  for (let round = 0; round < options.repeat; round += 1) {
    for (const contestant of contestants) {
      if (options.isSoak) contestant.forgetPeak();
      const run = await contestant.run();
      const isAlone = contestants.length === 1;
      printRun(isAlone ? theCase.name : `${theCase.name} ${contestant.name}`, run);
    }
  }
  if (theCase.countsSyncs) for (const contestant of contestants) await contestant.countSyncs();
  return contestants.map((contestant) => contestant.result);
}

class Contestant {
  #environment;
  #load;
  #harness;
  #options;
  #count;
  #runs = [];
  #syncs;
  #isPeer;

  constructor(name, environment, load, { harness, options, isPeer = false }) {
    this.name = name;
    this.#isPeer = isPeer;
    this.#environment = environment;
    this.#load = load;
    this.#harness = harness;
    this.#options = options;
  }

  get result() {
    const result = { name: this.name, isPeer: this.#isPeer, count: this.#count, runs: this.#runs };
    return this.#syncs === undefined ? result : { ...result, syncs: this.#syncs };
  }

  /** Until a message gets through; then so many messages, or so long, that code is compiled and pools are filled. */
  async warmUp(theCase) {
    if (this.#environment.measure !== undefined) return;
    await untilReady(this.#environment, this.#harness, this.#load);
    const { countOf, warmupOf, seconds } = this.#options;
    this.#count = theCase.count ?? countOf(theCase, this.#load);
    if (this.#count !== undefined) {
      const warmup = warmupOf(this.#count);
      if (warmup > 0) await this.#measure(warmup);
      return;
    }
    const probe = await this.#measure(Math.max(PROBE_MESSAGES, 2 * this.#load.sessions));
    let warm = await this.#measure(countIn(WARMUP_S, probe, this.#load));
    for (let piece = 1; piece < WARMUP_PIECES; piece += 1) {
      const next = await this.#measure(countIn(WARMUP_S, warm, this.#load));
      const isWarm = next.delivered_per_s < warm.delivered_per_s * WARM_WITHIN;
      warm = next;
      if (isWarm) break;
    }
    this.#count = countIn(seconds, warm, this.#load);
  }

  async run() {
    const { seconds = 1 } = this.#options;
    const own = this.#environment.measure;
    const run = await (own === undefined ? this.#measure(this.#count) : own({ seconds }));
    this.#runs.push(run);
    return run;
  }

  /** A run of its own, because counting costs a little. */
  async countSyncs() {
    const { pids, storePids } = this.#environment;
    if (pids === undefined) return;
    this.#syncs = await countSyncs([...pids, ...storePids], () => this.#measure(this.#count));
  }

  forgetPeak() {
    forgetPeaks(this.#environment.pids ?? []);
  }

  #measure(count) {
    return measure(this.#environment, this.#harness, { ...this.#load, count });
  }
}

/** How many messages somebody needs `seconds` for who was as fast as that. */
const countIn = (seconds, { delivered_per_s: rate }, { sessions }) =>
  Math.round(Math.min(COUNT_MAX, Math.max(2 * sessions, rate * seconds)));
