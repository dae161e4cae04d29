/** What is printed: a line for people on standard error for each run, a line of JSON on standard output for each scenario. */
import { median, round } from './statistics.mjs';

/** Of these the sum over all runs counts, not the median: one lost message is one too many. */
const SUMMED = ['accepted', 'delivered', 'lost', 'duplicated', 'altered', 'swapped', 'stray', 'refused', 'unpromised'];
const FAULTS = ['lost', 'duplicated', 'altered', 'swapped', 'stray', 'refused'];

export function printRun(name, run) {
  const faults = FAULTS.filter((key) => run[key] > 0).map((key) => `${run[key]} ${key.toUpperCase()}`);
  const figures = [
    `${run.accepted_per_s}/s accepted`,
    `${run.delivered_per_s}/s delivered`,
    `accept p50 ${run.accept_p50_ms} ms, p99 ${run.accept_p99_ms} ms`,
    ...(run.cpu_us_per_message === undefined
      ? []
      : [`CPU ${run.cpu_us_per_message} us, others ${run.other_cpu_cores} cores`]),
    ...faults,
  ];
  process.stderr.write(`${name.padEnd(13)} ${figures.join(', ')}\n`);
}

/** The medians of the runs, with the range of what was delivered, and the sums of what must be zero. */
export function summaryOf(runs) {
  const keys = Object.keys(runs[0]);
  const summary = { runs: runs.length };
  for (const key of keys) {
    const values = runs.map((run) => run[key]);
    if (SUMMED.includes(key)) summary[key] = values.reduce((a, b) => a + b, 0);
    else if (typeof values[0] === 'number') summary[key] = round(median(values));
  }
  const rates = runs.map((run) => run.delivered_per_s);
  summary.delivered_per_s_range = [Math.min(...rates), Math.max(...rates)];
  summary.gave_up = runs.some((run) => run.gave_up);
  summary.refusals = merge(runs.map((run) => run.refusals));
  return summary;
}

function merge(counts) {
  const all = {};
  for (const [key, count] of counts.flatMap((each) => Object.entries(each))) all[key] = (all[key] ?? 0) + count;
  return all;
}
