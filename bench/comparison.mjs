/** What the runs of a case say: the summary of each contestant, and which goals are met. Pure. */
import { median, round } from './statistics.mjs';
import { faultsIn, isClean } from './tally.mjs';

/** Of these the sum over all runs counts, not the median: one lost message is one too many. */
const SUMMED = [
  'accepted',
  'delivered',
  'lost',
  'duplicated',
  'altered',
  'swapped',
  'stray',
  'refused',
  'unpromised',
  'deferred',
];

/** The medians of the runs, with the range of what was delivered, and the sums of what must be zero. */
export function summaryOf(runs) {
  const summary = { runs: runs.length };
  for (const key of Object.keys(runs[0])) {
    const values = runs.map((run) => run[key]);
    if (SUMMED.includes(key)) summary[key] = values.reduce((a, b) => a + b, 0);
    else if (key === 'peak_rss_mb') summary[key] = Math.max(...values);
    else if (typeof values[0] === 'number') summary[key] = round(median(values));
  }
  for (const key of ['accepted_per_s', 'delivered_per_s']) {
    const rates = runs.map((run) => run[key]);
    // With as many digits as the median, which would lie outside of them otherwise.
    summary[`${key}_range`] = [Math.min(...rates), Math.max(...rates)].map(round);
  }
  summary.gave_up = runs.some((run) => run.gave_up);
  summary.refusals = merge(runs.map((run) => run.refusals ?? {}));
  return summary;
}

function merge(counts) {
  const all = {};
  for (const [key, count] of counts.flatMap((each) => Object.entries(each))) all[key] = (all[key] ?? 0) + count;
  return all;
}

/** Plain values, to be printed and written to a file. The first contestant is Koukan. */
export function judgeCase(theCase, optionLoad, contestants) {
  const { name, way, shape, store, gateways, goals, python } = theCase;
  const measured = contestants.map(({ runs, syncs, bursts, ...each }) => ({
    ...each,
    ...summaryOf(runs),
    ...syncs,
    faults: faultsIn(runs),
    each_run: runs,
    ...(bursts && { bursts }),
  }));
  const [own] = measured;
  return {
    name,
    ...(way !== undefined && { way, shape, store, gateways }),
    load: { ...optionLoad, ...theCase.load },
    contestants: measured,
    goals: goals.map((goal) => judgeGoal(goal, measured)),
    ...(python !== undefined && { times_python: round(own.delivered_per_s / python) }),
    isClean: contestants.every(({ isPeer, runs }) => isPeer || runs.every(isClean)),
  };
}

/** With `value` where everything was measured that it takes. A figure with a lost message does not count. */
function judgeGoal(goal, [own, ...others]) {
  const mine = own[goal.figure];
  if (own.faults > 0) return { ...goal, value: mine, isMet: false };
  if (goal.kind === 'atMost')
    return { ...goal, value: mine, isMet: mine === undefined ? undefined : mine <= goal.most };
  const other = others.find(({ name }) => name === goal.peer);
  // One that lost messages is no measure.
  if (other === undefined || other.faults > 0) return goal;
  const value = round(mine / other[goal.figure]);
  return { ...goal, value, isMet: value >= goal.least };
}
