/** The table for people: each case with its contestants, and each goal with what became of it. */
import { describeGoal } from './case-words.mjs';

const COLUMNS = [
  ['case', ({ isFirst, name }) => (isFirst ? name : '')],
  ['who', ({ who }) => who.name],
  ['delivered/s', ({ who }) => who.delivered_per_s],
  ['min-max', ({ who }) => who.delivered_per_s_range.join('-')],
  ['accepted/s', ({ who }) => who.accepted_per_s],
  ['p50 ms', ({ who }) => who.accept_p50_ms],
  ['p99 ms', ({ who }) => who.accept_p99_ms],
  ['CPU us', ({ who }) => sum(who.cpu_us_per_message, who.store_cpu_us_per_message)],
  ['RSS MB', ({ who }) => who.peak_rss_mb],
  ['PSS MB', ({ who }) => who.pss_mb],
  ['syncs', ({ who }) => who.syncs_per_message],
  ['ratio', ({ ratio }) => ratio],
  ['deferred', ({ who }) => (who.deferred > 0 ? who.deferred : '')],
  ['faults', ({ who }) => (who.faults > 0 ? who.faults : '')],
];

const sum = (own, store) => (own === undefined ? undefined : Math.round(own + (store ?? 0)));
const show = (value) => (value === undefined ? '' : String(value));

/** `ratio` is Koukan's delivered rate over that of whoever is in the line. */
function rowsOf({ name, contestants }) {
  const [own, ...others] = contestants;
  return [
    { isFirst: true, name, who: own, ratio: '' },
    ...others.map((who) => ({ name, who, ratio: (own.delivered_per_s / who.delivered_per_s).toFixed(2) })),
  ].map((row) => COLUMNS.map(([, cell]) => show(cell(row))));
}

export function tableOf({ machine, peers, results }) {
  const rows = [COLUMNS.map(([title]) => title), ...results.flatMap(rowsOf)];
  const widths = COLUMNS.map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const lines = rows.map((row) =>
    row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
  );
  const goals = results.flatMap(({ name, goals: all }) => all.map((goal) => `${name}: ${describeGoal(goal)}`));
  const versions = Object.entries(peers).map(([name, { version, why }]) => `${name} ${version ?? why ?? ''}`.trim());
  const where = `${machine.cores} cores of ${machine.cpu}, ${machine.system}, node ${machine.node}, commit ${machine.commit}`;
  return `${[...lines, '', ...goals, '', `${where}; ${versions.join('; ')}`].map((line) => line.trimEnd()).join('\n')}\n`;
}
