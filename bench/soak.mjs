/** A long load, minute by minute: which of them are at full speed, what is collected meanwhile, and what they say together. Pure. */
import { median, round } from './statistics.mjs';

/** So many minutes at the start and at the end go at full speed, and are compared with each other. */
const EDGE_MINUTES = 2;
/** By then pools are full, code is compiled, and the heap is as large as it gets. */
const SETTLED_MINUTES = 5;
const MINUTES_PER_HOUR = 60;
/** Fewer minutes in a quarter may all be of one side of the saw. */
const QUARTER_MINUTES = 4;
/** What is delivered is kept for a minute, and looked for six times in it. */
const KEPT_S = 60;
const LOOKS = 6;
/** The median of a quarter of an hour may be off by a few hundredths, for where in the saw its minutes were. */
const FLAT = 1.1;
/** Differences of less than a tenth mean nothing; nor does a rate, when others used so much of the machine. */
const AS_FAST = 0.9;
const OTHERS_CORES = 0.15;

/** What each minute offers: `pace` messages a second between the edges, as many as go through at them, or all the time without a pace. */
export const piecesOf = (minutes, pace) =>
  Array.from({ length: minutes }, (_, i) => (isEdge(i, minutes) || pace === undefined ? {} : { pace }));

/**
 * Settings of `storage`, where a run takes so many seconds: what is finished is collected as an operator with a small disk would have it. A day of it, as
 * by default, would fill most disks.
 */
export function garbageOf(seconds) {
  const keptSeconds = Math.min(KEPT_S, seconds);
  return { gc_ttl: keptSeconds, gc_interval: round(keptSeconds / LOOKS) };
}

const isEdge = (i, minutes) => i < EDGE_MINUTES || i >= minutes - EDGE_MINUTES;

/**
 * `pieces` and `runs` belong together. Memory is compared among minutes with the same load: those with a pace, where there are any. It is a saw: garbage
 * gathers until what is in use has doubled, which takes minutes, so two minutes say nothing about each other. Medians of the second quarter and of the
 * last one do, each of several minutes; the first quarter is left out for what fills up once. The slope is that of the straight line that is nearest to
 * all of them, in MB an hour. The disk that the store takes is compared in the same way, by what it takes at the end of each minute.
 *
 * `is_flat`, `is_disk_flat` and `is_as_fast` are left out where the load was too short to say, or something else used the machine.
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
    ...diskOf(compared, runs),
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
  const grown = growthOf(minutes, 'peak_rss_mb', 'rss');
  if (grown === undefined) return {};
  const { early, late, ...figures } = grown;
  return {
    early_minutes: edgesOf(early),
    late_minutes: edgesOf(late),
    ...figures,
    is_flat: figures.late_to_early_rss <= FLAT,
  };
}

function diskOf(minutes, runs) {
  const { store_mb: mb, bodies_stored: stored, bodies_collected: collected } = runs.at(-1);
  if (mb === undefined) return {};
  const { early: _early, late: _late, ...figures } = growthOf(minutes, 'store_mb', 'store') ?? {};
  return {
    ...figures,
    ...(figures.late_to_early_store !== undefined && { is_disk_flat: figures.late_to_early_store <= FLAT }),
    last_store_mb: mb,
    bodies_stored: stored,
    bodies_collected: collected,
  };
}

/** Medians of the second quarter (`early`) and of the last one (`late`), named after `what`; `undefined` where the load was too short. */
function growthOf(minutes, key, what) {
  const quarter = Math.floor(minutes.length / 4);
  if (quarter < QUARTER_MINUTES) return undefined;
  const early = minutes.slice(quarter, 2 * quarter);
  const late = minutes.slice(-quarter);
  const [before, after] = [early, late].map((some) => some.map((minute) => minute[key]));
  return {
    early,
    late,
    [`early_${what}_mb`]: median(before),
    [`early_${what}_mb_range`]: rangeOf(before),
    [`late_${what}_mb`]: median(after),
    [`late_${what}_mb_range`]: rangeOf(after),
    [`late_to_early_${what}`]: round(median(after) / median(before)),
  };
}

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
export function faultsOf({ is_flat: isFlat, is_disk_flat: isDiskFlat, is_as_fast: isAsFast, ...verdict }) {
  const faults = [];
  if (isFlat === false) faults.push(`memory grew to ${verdict.late_to_early_rss} of what it was`);
  if (isDiskFlat === false) faults.push(`the store grew to ${verdict.late_to_early_store} of what it was`);
  if (isAsFast === false) faults.push(`the rate fell to ${verdict.last_to_first} of what it was`);
  return faults;
}

/** One line for people. */
export function describeVerdict(name, verdict) {
  const { minutes, first_per_s: first, last_per_s: last, last_to_first: ratio, delivered } = verdict;
  const faults = ['lost', 'duplicated', 'altered', 'swapped', 'refused'].map((key) => `${verdict[key]} ${key}`);
  return `${name} after ${minutes} minutes: ${first}/s at first, ${last}/s at last (${ratio} x); ${memoryText(verdict)}; ${diskText(verdict)}; ${delivered} delivered, ${faults.join(', ')}`;
}

function memoryText({ rss_mb_per_hour: slope, is_flat: isFlat, ...verdict }) {
  if (slope === undefined) return 'memory not measured';
  if (isFlat === undefined) return `memory: too short to say, slope ${slope} MB/h`;
  return `memory ${isFlat ? 'flat' : 'GREW'}: ${quartersText(verdict, 'rss')}, slope ${slope} MB/h`;
}

function diskText({ last_store_mb: last, is_disk_flat: isFlat, bodies_stored: stored, ...verdict }) {
  if (last === undefined) return 'store not measured';
  const size =
    isFlat === undefined ? `${last} MB at last` : `${isFlat ? 'flat' : 'GREW'}: ${quartersText(verdict, 'store')}`;
  const bodies = stored === undefined ? '' : `, ${stored} bodies stored, ${verdict.bodies_collected} of them collected`;
  return `store ${size}${bodies}`;
}

function quartersText(verdict, what) {
  const part = (which) => {
    const [from, to] = verdict[`${which}_minutes`];
    const [least, most] = verdict[`${which}_${what}_mb_range`];
    return `${verdict[`${which}_${what}_mb`]} MB (${least}–${most}) in minutes ${from}–${to}`;
  };
  return `${part('early')}, ${part('late')}`;
}
