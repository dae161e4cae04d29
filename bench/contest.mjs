/** One case: Koukan and those it is compared with, round after round, each once in every round, so that what disturbs the machine disturbs all of them. */
import { Contestant } from './contestant.mjs';
import { startEnvironment } from './environment.mjs';
import { printRun } from './report.mjs';
import { Stops } from './stops.mjs';

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
      if (options.soak !== undefined) contestant.forgetPeak();
      const run = await contestant.run(options.soak?.[round]);
      const isAlone = contestants.length === 1;
      printRun(isAlone ? theCase.name : `${theCase.name} ${contestant.name}`, run);
    }
  }
  if (theCase.countsSyncs) for (const contestant of contestants) await contestant.countSyncs();
  return contestants.map((contestant) => contestant.result);
}
