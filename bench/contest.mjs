/** One case: Koukan and those it is compared with, round after round, each once in every round, so that what disturbs the machine disturbs all of them. */
import { describeBursts, runBursts } from './bursts.mjs';
import { Contestant } from './contestant.mjs';
import { startEnvironment } from './environment.mjs';
import { printRun } from './report.mjs';
import { Stops } from './stops.mjs';

const garbageText = ({ gc_ttl: ttl, gc_interval: interval }) =>
  `storage.gc_ttl ${ttl}, storage.gc_interval ${interval}: what has ended is collected after ${ttl} seconds`;

/** How often what has ended at full speed may be kept until all of it is collected. */
const COLLECTED_WITHIN = 10;

/**
 * Resolves with `{ name, count, runs, syncs }` of each, Koukan first, after a long load with its `bursts`. Of what was started for Koukan nothing is left; peers are those of the pool.
 * `others` are names of peers; `prepareAged` makes a second Koukan, with a store that has a past.
 */
export async function runCase(theCase, { others, prepareAged }, context) {
  const stops = new Stops();
  try {
    const { soak, target, garbage } = context.options;
    const isKoukanSoaked = soak !== undefined && target === undefined;
    if (isKoukanSoaked) process.stderr.write(`${theCase.name}: ${garbageText(garbage)}\n`);
    const starter = starterOf(theCase, context, stops);
    const contestants = await gather(starter, { others, prepareAged }, context);
    const results = await runRounds(theCase, contestants, context);
    if (!isKoukanSoaked) return results;
    const [koukan, ...rest] = results;
    return [{ ...koukan, bursts: await burstsOf(theCase, contestants[0], starter, context) }, ...rest];
  } finally {
    for (const error of await stops.run()) context.complain(`${theCase.name}: ${error.message}`);
  }
}

/** How those who take part are started: `koukan` a new one with a store of its own, `ready` whatever runs already. Both resolve when it is warm. */
function starterOf(theCase, context, stops) {
  const { options, harness, interrupted } = context;
  const { nodeOptions, garbage } = options;
  const load = { ...options.load, ...theCase.load };
  const settings = { store: theCase.store, sinkPort: harness.sinkPort, nodeOptions, interrupted, garbage };
  const ready = async (name, environment, isPeer = false) => {
    const contestant = new Contestant(name, environment, load, { ...context, isPeer });
    await contestant.warmUp(theCase);
    return contestant;
  };
  const koukan = async (name, prepare) => ready(name, await startEnvironment(theCase, settings, stops, prepare));
  return { koukan, ready };
}

/** All that take part, started and warm. */
async function gather({ koukan, ready }, { others, prepareAged }, context) {
  const { options, interrupted } = context;
  if (options.target !== undefined) {
    const { target, pids } = options;
    return [await ready('relay', { target, pids, storePids: [], ended: interrupted })];
  }
  const contestants = [await koukan('koukan')];
  if (prepareAged) contestants.push(await koukan('koukan-aged', prepareAged));
  return [...contestants, ...(await gatherPeers(others, ready, context))];
}

/**
 * After a long load. What the last minutes have left is collected before, so that the bursts differ in nothing but age: a fresh store has
 * nothing to collect yet.
 */
async function burstsOf({ name }, aged, { koukan }, { options }) {
  const { gc_ttl: keptSeconds } = options.garbage;
  const left = await aged.untilCollected(COLLECTED_WITHIN * keptSeconds * 1000);
  if (left > 0) process.stderr.write(`${name} bursts: ${left} transactions are not collected yet\n`);
  const fresh = await koukan('koukan-fresh');
  const bursts = await runBursts(aged, fresh, (who, run) => printRun(`${name} ${who}`, run));
  process.stderr.write(`${describeBursts(name, bursts)}\n`);
  return bursts;
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
      if (options.soak !== undefined) contestant.forgetPeak();
      const run = await contestant.run(options.soak?.[round]);
      const isAlone = contestants.length === 1;
      printRun(isAlone ? theCase.name : `${theCase.name} ${contestant.name}`, run);
    }
  }
  if (theCase.countsSyncs) for (const contestant of contestants) await contestant.countSyncs();
  return contestants.map((contestant) => contestant.result);
}
