/** What age does to speed: the same load for the process that a long load has made old, and for a new one with an empty store. The arithmetic is pure. */
import { round } from './statistics.mjs';
import { faultsIn } from './tally.mjs';

/** A burst has so large a part of the messages of a minute at full speed. */
const SHARE = 1 / 6;
/** In turns, so that what disturbs the machine disturbs both. */
const TURNS = 2;
/** Differences of less than a tenth mean nothing; nor does a rate, when others used so much of the machine. */
const AS_FAST = 0.9;
const OTHERS_CORES = 0.15;

/** Resolves with the runs of both, and what they say. `print` gets each run with whose it is. */
export async function runBursts(aged, fresh, print) {
  const count = Math.ceil(aged.count * SHARE);
  const runs = { aged: [], fresh: [] };
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const [name, who] of Object.entries({ aged, fresh })) {
      const run = await who.burst(count);
      runs[name].push(run);
      print(name, run);
    }
  }
  return { ...runs, ...burstsVerdictOf(runs) };
}

/** `is_as_fast` is left out where something else used the machine. CPU is compared, too: that of the processes under test, which others disturb least. */
export function burstsVerdictOf({ aged, fresh }) {
  const all = [...aged, ...fresh];
  const isDisturbed = all.some(({ other_cpu_cores: cores }) => cores === undefined || cores > OTHERS_CORES);
  const [agedRate, freshRate] = [aged, fresh].map((runs) => mean(runs, 'delivered_per_s'));
  const [agedCpu, freshCpu] = [aged, fresh].map((runs) => mean(runs, 'cpu_us_per_message'));
  return {
    aged_per_s: round(agedRate),
    fresh_per_s: round(freshRate),
    aged_to_fresh: round(agedRate / freshRate),
    aged_cpu_us: round(agedCpu),
    fresh_cpu_us: round(freshCpu),
    aged_to_fresh_cpu: agedCpu === undefined ? undefined : round(agedCpu / freshCpu),
    is_as_fast: isDisturbed ? undefined : agedRate >= freshRate * AS_FAST,
    faults: faultsIn(all),
  };
}

/** `undefined` where one of them was not measured. */
function mean(runs, key) {
  const values = runs.map((run) => run[key]);
  return values.includes(undefined) ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** What is wrong with it: sentences, none when all that can be said is good. */
export function burstFaultsOf({ is_as_fast: isAsFast, aged_to_fresh: ratio, faults }) {
  const sentences = [];
  if (isAsFast === false) sentences.push(`the aged process is ${ratio} times as fast as a fresh one`);
  if (faults > 0) sentences.push(`${faults} messages of the bursts were lost, duplicated, altered, swapped or refused`);
  return sentences;
}

/** One line for people. */
export function describeBursts(name, { aged_per_s: aged, fresh_per_s: fresh, aged_to_fresh: ratio, ...verdict }) {
  const { aged_cpu_us: agedCpu, fresh_cpu_us: freshCpu, aged_to_fresh_cpu: cpuRatio, is_as_fast: isAsFast } = verdict;
  const cpu = cpuRatio === undefined ? '' : `; CPU ${agedCpu} us and ${freshCpu} us (${cpuRatio} x)`;
  const doubt = isAsFast === undefined ? '; something else used the machine' : '';
  return `${name} bursts: ${aged}/s aged, ${fresh}/s fresh (${ratio} x)${cpu}${doubt}; ${verdict.faults} faults`;
}
