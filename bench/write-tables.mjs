/**
 * Writes the figures of one or more runs into docs/performance.md, between the two marks there:
 *
 *   npm run bench -- --table --json-out table.json
 *   node bench/write-tables.mjs --json table.json [--json more.json] [--page FILE]
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { describeCase, describeWanted } from './case-words.mjs';
import { table } from './markdown.mjs';
import { mustBeCommitted, PERFORMANCE_PAGE, writeBetween } from './page-marks.mjs';

const MARKS = ['<!-- figures: written by bench/write-tables.mjs -->', '<!-- end of figures -->'];

/** Whole numbers, and of small ones two digits. */
const whole = (value) =>
  value === undefined ? undefined : String(value < 10 ? Number(value.toPrecision(2)) : Math.round(value));
const range = ([least, greatest]) => `${whole(least)}–${whole(greatest)}`;
const rate = (who) => `${whole(who.delivered_per_s)} (${range(who.delivered_per_s_range)})`;

/** What a goal is about, of one contestant. */
function figureOf(who, { kind, figure }) {
  if (who === undefined) return undefined;
  if (kind !== 'ratio') return String(who[figure] ?? '');
  return `${whole(who[figure])} (${range(who[`${figure}_range`])})`;
}

function goalRows({ name, goals, contestants }) {
  const [own, ...others] = contestants;
  return goals.map((goal) => [
    name,
    figureOf(own, goal),
    figureOf(
      others.find((other) => other.name === goal.peer),
      goal,
    ),
    goal.value,
    describeWanted(goal),
    goal.value === undefined ? 'not measured' : goal.isMet ? 'yes' : '**no**',
  ]);
}

function contestantRows(result) {
  const { contestants } = result;
  const [own] = contestants;
  return contestants.map((who, i) => [
    i === 0 ? result.name : '',
    who.name,
    rate(who),
    i === 0 ? result.times_python && `${whole(result.times_python)} × Python` : ratio(own, who),
    who.accepted_per_s === who.delivered_per_s ? '' : whole(who.accepted_per_s),
    who.accept_p50_ms === undefined ? '' : `${who.accept_p50_ms} / ${who.accept_p99_ms}`,
    who.delivered_p50_ms === undefined ? '' : `${who.delivered_p50_ms} / ${who.delivered_p99_ms}`,
    [who.cpu_us_per_message, who.store_cpu_us_per_message]
      .filter((us) => us !== undefined)
      .map(whole)
      .join(' + '),
    who.peak_rss_mb === undefined ? '' : `${whole(who.peak_rss_mb)} / ${whole(who.pss_mb)}`,
    who.syncs_per_message ?? who.commits_per_message,
    whole(who.other_cpu_cores),
    who.faults,
  ]);
}

const ratio = (own, other) => `${(own.delivered_per_s / other.delivered_per_s).toFixed(2)} ×`;

/** Which cases a run measured, on what, with which command. */
function originOf({ machine, args = [], results }) {
  const cases = results.length > 3 ? `${results.length} cases` : results.map(({ name }) => `\`${name}\``).join(', ');
  const command = `\`npm run bench -- ${args.filter((arg) => !arg.startsWith('/')).join(' ')}\``;
  return `- ${cases}: commit ${machine.commit}, ${machine.date}, ${command}`;
}

/** Of several runs on one machine; what is said of the machine is that of the first. */
function pageOf(runs) {
  const [{ machine }] = runs;
  const peers = Object.assign({}, ...runs.map((run) => run.peers));
  const results = runs.flatMap((run) => run.results);
  const versions = Object.entries(peers).map(([name, { isThere, version, why }]) =>
    isThere ? `${name} ${version ?? '(bench/bare)'}` : `${name} not measured (${why})`,
  );
  const goals = results.flatMap(goalRows);
  return [
    `Machine: ${machine.cores} cores of ${machine.cpu}, ${Math.round(machine.memory_mb / 1024)} GB, ${machine.system}, Node ${machine.node}. ${versions.join('; ')}.`,
    runs.map(originOf).join('\n'),
    '### Goals',
    table(['case', 'Koukan', 'the other', 'is', 'goal', 'met'], goals),
    '### All that was measured',
    'Medians, in brackets the slowest and the fastest run. Where there is no count of syncs, that of the commits of the database stands.',
    table(
      [
        'case',
        'who',
        'delivered per second',
        'Koukan is',
        'accepted per second',
        'accepted after, p50 / p99 ms',
        'delivered after, p50 / p99 ms',
        'CPU per message, us (+ database)',
        'peak RSS / PSS, MB',
        'syncs per message',
        'other CPU, cores',
        'faults',
      ],
      results.flatMap(contestantRows),
    ),
    'The cases:',
    results.map((result) => `- \`${result.name}\`: ${describeCase(result)}`).join('\n'),
  ].join('\n\n');
}

const { values } = parseArgs({
  options: { json: { type: 'string', multiple: true }, page: { type: 'string', default: PERFORMANCE_PAGE } },
});
if (values.json === undefined)
  throw new Error('whose figures? --json FILE, as npm run bench -- --json-out FILE wrote it');
const runs = await Promise.all(values.json.map(async (file) => JSON.parse(await readFile(file, 'utf8'))));
for (const { machine } of runs) mustBeCommitted(values.page, machine);
await writeBetween(values.page, MARKS, pageOf(runs));
