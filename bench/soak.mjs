/** A long load, minute by minute: which of them are at full speed, and what they say together. Pure. */
import { median, round } from './statistics.mjs';

/** So many minutes at the start and at the end go at full speed, and are compared with each other. */
const EDGE_MINUTES = 2;
/** By then pools are full, code is compiled, and the heap is as large as it gets. */
const SETTLED_MINUTES = 5;
const MINUTES_PER_HOUR = 60;
/** Fewer minutes in a quarter may all be of one side of the saw. */
const QUARTER_MINUTES = 4;
/** The median of a quarter of an hour may be off by a few hundredths, for where in the saw its minutes were. */
const FLAT = 1.1;
/** Differences of less than a tenth mean nothing; nor does a rate, when others used so much of the machine. */
const AS_FAST = 0.9;
const OTHERS_CORES = 0.15;

/** What each minute offers: `pace` messages a second between the edges, as many as go through at them, or all the time without a pace. */
export const piecesOf = (minutes, pace) =>
  Array.from({ length: minutes }, (_, i) => (isEdge(i, minutes) || pace === undefined ? {} : { pace }));

const isEdge = (i, minutes) => i < EDGE_MINUTES || i >= minutes - EDGE_MINUTES;

/**
 * `pieces` and `runs` belong together. Memory is compared among minutes with the same load: those with a pace, where there are any. It is a saw: garbage
 * gathers until what is in use has doubled, which takes minutes, so two minutes say nothing about each other. Medians of the second quarter and of the
 * last one do, each of several minutes; the first quarter is left out for what fills up once. The slope is that of the straight line that is nearest to
 * all of them, in MB an hour.
 *
 * `is_flat` and `is_as_fast` are left out where the load was too short to say, or something else used the machine.
 */
export function verdictOf(pieces, runs) {
  const minutes = runs.map((run, i) => ({ minute: i + 1, isPaced: pieces[i]?.pace !== undefined, ...run }));
  const hasPace = minutes.some(({ isPaced }) => isPaced);
  const alike = minutes.filter(({ isPaced, peak_rss_mb: mb }) => isPaced === hasPace && mb !== undefined);
  const settled = alike.filter(({ minute }) => minute >= SETTLED_MINUTES);
  const compared = settled.length > 1 ? settled : alike;
  return {
    minutes: runs.length,
    ...rateOf(minutes.slice(0, EDGE_MINUTES), minutes.slice(-EDGE_MINUTES)),
    memory_from_minute: compared[0]?.minute,
    memory_to_minute: compared.at(-1)?.minute,
    ...memoryOf(compared),
    rss_mb_per_hour: compared.length > 1 ? round(slopeOf(compared) * MINUTES_PER_HOUR) : undefined,
    ...sumsOf(runs, ['delivered', 'lost', 'duplicated', 'altered', 'swapped', 'refused']),
  };
}

function rateOf(first, last) {
  const [before, after] = [first, last].map(meanRate);
  const isDisturbed = [...first, ...last].some(
    ({ other_cpu_cores: cores }) => cores === undefined || cores > OTHERS_CORES,
  );
  return {
    first_per_s: round(before),
    last_per_s: round(after),
    last_to_first: round(after / before),
    is_as_fast: isDisturbed ? undefined : after >= before * AS_FAST,
  };
}

function memoryOf(minutes) {
  const quarter = Math.floor(minutes.length / 4);
  if (quarter < QUARTER_MINUTES) return {};
  const early = minutes.slice(quarter, 2 * quarter);
  const late = minutes.slice(-quarter);
  const [before, after] = [early, late].map(memoriesOf);
  const grown = median(after) / median(before);
  return {
    early_minutes: edgesOf(early),
    early_rss_mb: median(before),
    early_rss_mb_range: rangeOf(before),
    late_minutes: edgesOf(late),
    late_rss_mb: median(after),
    late_rss_mb_range: rangeOf(after),
    late_to_early_rss: round(grown),
    is_flat: grown <= FLAT,
  };
}

const memoriesOf = (minutes) => minutes.map(({ peak_rss_mb: mb }) => mb);
const edgesOf = (minutes) => [minutes[0].minute, minutes.at(-1).minute];
const rangeOf = (values) => [Math.min(...values), Math.max(...values)];

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

/** What is wrong with it: sentences, none when all that can be said is good. Lost messages are the business of whoever counts them. */
export function faultsOf({ is_flat: isFlat, is_as_fast: isAsFast, ...verdict }) {
  const faults = [];
  if (isFlat === false) faults.push(`memory grew to ${verdict.late_to_early_rss} of what it was`);
  if (isAsFast === false) faults.push(`the rate fell to ${verdict.last_to_first} of what it was`);
  return faults;
}

/** One line for people. */
export function describeVerdict(name, verdict) {
  const { minutes, first_per_s: first, last_per_s: last, last_to_first: ratio, delivered } = verdict;
  const faults = ['lost', 'duplicated', 'altered', 'swapped', 'refused'].map((key) => `${verdict[key]} ${key}`);
  return `${name} after ${minutes} minutes: ${first}/s at first, ${last}/s at last (${ratio} x); ${memoryText(verdict)}; ${delivered} delivered, ${faults.join(', ')}`;
}

function memoryText({ rss_mb_per_hour: slope, is_flat: isFlat, ...verdict }) {
  if (slope === undefined) return 'memory not measured';
  if (isFlat === undefined) return `memory: too short to say, slope ${slope} MB/h`;
  const part = (which) => {
    const [from, to] = verdict[`${which}_minutes`];
    const [least, most] = verdict[`${which}_rss_mb_range`];
    return `${verdict[`${which}_rss_mb`]} MB (${least}–${most}) in minutes ${from}–${to}`;
  };
  return `memory ${isFlat ? 'flat' : 'GREW'}: ${part('early')}, ${part('late')}, slope ${slope} MB/h`;
}
