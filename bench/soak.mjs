/** A long load, minute by minute: which of them are at full speed, and what they say together. Pure. */
import { round } from './statistics.mjs';

/** So many minutes at the start and at the end go at full speed, and are compared with each other. */
const EDGE_MINUTES = 2;
/** By then pools are full, code is compiled, and the heap is as large as it gets. */
const SETTLED_MINUTES = 5;
const MINUTES_PER_HOUR = 60;

/** What each minute offers: `pace` messages a second between the edges, as many as go through at them, or all the time without a pace. */
export const piecesOf = (minutes, pace) =>
  Array.from({ length: minutes }, (_, i) => (isEdge(i, minutes) || pace === undefined ? {} : { pace }));

const isEdge = (i, minutes) => i < EDGE_MINUTES || i >= minutes - EDGE_MINUTES;

/**
 * `pieces` and `runs` belong together. Memory is compared among minutes with the same load: those with a pace, where there are any. The slope is that of
 * the straight line that is nearest to all of them, in MB an hour.
 */
export function verdictOf(pieces, runs) {
  const minutes = runs.map((run, i) => ({ minute: i + 1, isPaced: pieces[i]?.pace !== undefined, ...run }));
  const hasPace = minutes.some(({ isPaced }) => isPaced);
  const alike = minutes.filter(({ isPaced, peak_rss_mb: mb }) => isPaced === hasPace && mb !== undefined);
  const settled = alike.filter(({ minute }) => minute >= SETTLED_MINUTES);
  const compared = settled.length > 1 ? settled : alike;
  const [first, last] = [minutes.slice(0, EDGE_MINUTES), minutes.slice(-EDGE_MINUTES)].map(meanRate);
  return {
    minutes: runs.length,
    first_per_s: round(first),
    last_per_s: round(last),
    last_to_first: round(last / first),
    memory_from_minute: compared[0]?.minute,
    memory_to_minute: compared.at(-1)?.minute,
    first_rss_mb: compared[0]?.peak_rss_mb,
    last_rss_mb: compared.at(-1)?.peak_rss_mb,
    rss_mb_per_hour: compared.length > 1 ? round(slopeOf(compared) * MINUTES_PER_HOUR) : undefined,
    ...sumsOf(runs, ['delivered', 'lost', 'duplicated', 'altered', 'swapped', 'refused']),
  };
}

const meanRate = (minutes) => minutes.reduce((sum, run) => sum + run.delivered_per_s, 0) / minutes.length;

/** MB a minute, by least squares. */
function slopeOf(minutes) {
  const mean = (pick) => minutes.reduce((sum, each) => sum + pick(each), 0) / minutes.length;
  const [meanMinute, meanMb] = [mean(({ minute }) => minute), mean(({ peak_rss_mb: mb }) => mb)];
  const off = ({ minute }) => minute - meanMinute;
  return mean((each) => off(each) * (each.peak_rss_mb - meanMb)) / mean((each) => off(each) ** 2);
}

const sumsOf = (runs, keys) =>
  Object.fromEntries(keys.map((key) => [key, runs.reduce((sum, run) => sum + (run[key] ?? 0), 0)]));

/** One line for people. */
export function describeVerdict(name, verdict) {
  const { minutes, first_per_s: first, last_per_s: last, last_to_first: ratio, delivered } = verdict;
  const { memory_from_minute: from, memory_to_minute: to, first_rss_mb: firstMb, last_rss_mb: lastMb } = verdict;
  const memory =
    verdict.rss_mb_per_hour === undefined
      ? 'memory not measured'
      : `memory ${firstMb} MB in minute ${from}, ${lastMb} MB in minute ${to}, slope ${verdict.rss_mb_per_hour} MB/h`;
  const faults = ['lost', 'duplicated', 'altered', 'swapped', 'refused'].map((key) => `${verdict[key]} ${key}`);
  return `${name} after ${minutes} minutes: ${first}/s at first, ${last}/s at last (${ratio} x); ${memory}; ${delivered} delivered, ${faults.join(', ')}`;
}
