/** What is printed while it runs: a line for people on standard error for each run, a line of JSON on standard output for each scenario. */
import { FAULTS } from './tally.mjs';

const NAME_COLUMNS = 13;

export function printRun(name, run) {
  const faults = FAULTS.filter((key) => run[key] > 0).map((key) => `${run[key]} ${key.toUpperCase()}`);
  const figures = [
    `${run.accepted_per_s}/s accepted`,
    `${run.delivered_per_s}/s delivered`,
    ...(run.accept_p50_ms === undefined ? [] : [`accept p50 ${run.accept_p50_ms} ms, p99 ${run.accept_p99_ms} ms`]),
    ...(run.cpu_us_per_message === undefined ? [] : [`CPU ${run.cpu_us_per_message} us`]),
    ...(run.other_cpu_cores === undefined ? [] : [`others ${run.other_cpu_cores} cores`]),
    ...(run.peak_rss_mb === undefined ? [] : [`RSS ${run.peak_rss_mb} MB`]),
    ...(run.store_mb === undefined ? [] : [`store ${run.store_mb} MB`]),
    ...(run.deferred > 0 ? [`${run.deferred} deferred`] : []),
    ...faults,
  ];
  process.stderr.write(`${name.padEnd(NAME_COLUMNS)} ${figures.join(', ')}\n`);
}

/** One scenario as one flat object, when only one was measured in it. */
export function lineOf({ name, store, load, contestants }) {
  const [{ name: _name, isPeer: _isPeer, count, each_run: _runs, faults: _faults, bursts, ...summary }] = contestants;
  const facts = { scenario: name, ...(store !== undefined && { store }), n: count };
  return {
    ...facts,
    size: load.sizeBytes,
    ...(load.sizes && { sizes: load.sizes }),
    sessions: load.sessions,
    ...summary,
    ...(bursts && { aged_to_fresh: bursts.aged_to_fresh }),
  };
}
