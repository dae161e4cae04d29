/** `npm run bench:profile`: where the microseconds of a message go, by thread and category, as a table in Markdown. Method: docs/performance.md. */
import { createReadStream, existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Child } from './child.mjs';
import { readFlags, runTool, UsageError } from './command-line.mjs';
import { Contestant } from './contestant.mjs';
import { startEnvironment, temporaryDir } from './environment.mjs';
import { InterruptedError, untilInterrupted } from './interrupted.mjs';
import { machine } from './machine.mjs';
import { readOptions } from './options.mjs';
import { mustBeCommitted, writeBetween } from './page-marks.mjs';
import { usageOf } from './process-usage.mjs';
import { countSamples } from './profile/counts.mjs';
import { forgetNames, keepLastNames, NODE_OPTIONS } from './profile/names.mjs';
import { processesOf, profileCases } from './profile/profile-cases.mjs';
import { profileTable } from './profile/profile-table.mjs';
import { record, stacksOf, whyNoPerf } from './profile/record.mjs';
import { stacksIn } from './profile/stacks.mjs';
import { casesNamed } from './scenarios.mjs';
import { Stops } from './stops.mjs';
import { FAULTS } from './tally.mjs';

const TOOL = { name: 'bench:profile', command: 'npm run bench:profile' };
const EXIT_UNAVAILABLE = 69;
const MARKS = ['<!-- profile: written by bench/profile.mjs -->', '<!-- end of profile -->'];

const HELP = `Usage: npm run bench:profile -- [options]

Prints where the CPU time of a message goes in Koukan's processes, as a table in Markdown. Needs Linux and perf.

  --scenario NAMES   separated by commas: ${profileCases.map(({ name }) => name).join(', ')} (default: all)
  --seconds COUNT    how long the load is that is sampled (default: 5)
  --page FILE        write the table between the marks in this file, too
  --json-out FILE    everything counted
  --perf-script FILE what perf script printed elsewhere, instead of a load: shares only
  --help
`;

class UnavailableError extends Error {
  exitCode = EXIT_UNAVAILABLE;
}

const text = { type: 'string' };
const OPTIONS = {
  scenario: { ...text, default: 'all' },
  seconds: { ...text, default: '5' },
  page: text,
  'json-out': text,
  'perf-script': text,
  help: { type: 'boolean', default: false, short: 'h' },
};

function readArguments(args) {
  const values = readFlags(args, OPTIONS);
  return { ...values, cases: casesNamed(profileCases, values.scenario) };
}

/** One column for each process of the case: `{ title, cpuUs, otherCores, samples, threads }`. */
async function profileCase(theCase, options, dir, stops) {
  const sink = new Child('./sink.mjs');
  stops.add(() => sink.stop());
  const generator = new Child('./generator.mjs');
  stops.add(() => generator.stop());
  const sinkPort = await sink.ask('listen', { port: 0 });
  const settings = { store: theCase.store, sinkPort, nodeOptions: NODE_OPTIONS, interrupted: options.interrupted };
  const environment = await startEnvironment(theCase, settings, stops);
  const { pids } = environment;
  try {
    const load = { ...options.load, ...theCase.load };
    const contestant = new Contestant('koukan', environment, load, { harness: { sink, generator }, options });
    await contestant.warmUp(theCase);
    // What is not compiled after the warm-up is compiled in this.
    await contestant.run();
    const { cpuUs, otherCores } = await cpuOf(pids, () => contestant.run());
    const file = path.join(dir, `${theCase.name}.perf`);
    requireClean(theCase, await record(pids, file, () => contestant.run()));
    for (const pid of pids) await keepLastNames(pid);
    const counts = await countSamples(stacksOf(file));
    return processesOf(theCase).map((title, i) => ({ title, cpuUs: cpuUs[i], otherCores, ...counts.get(pids[i]) }));
  } finally {
    for (const pid of pids) await forgetNames(pid);
  }
}

/** Microseconds for a message of each process in a run that nobody samples, because sampling costs too; and what others used of the machine. */
async function cpuOf(pids, run) {
  const before = pids.map((pid) => usageOf([pid]).cpuMs);
  const { delivered, other_cpu_cores: otherCores } = await run();
  const cpuUs = pids.map((pid, i) => ((usageOf([pid]).cpuMs - before[i]) * 1000) / delivered);
  return { cpuUs, otherCores };
}

/** Where a message is lost, nobody knows what the rest of them cost. */
function requireClean({ name }, run) {
  const faults = FAULTS.filter((key) => run[key] > 0);
  if (faults.length > 0) throw new Error(`${name}: ${faults.map((key) => `${run[key]} ${key}`).join(', ')}`);
}

async function profileAll({ cases, seconds }) {
  const options = { ...readOptions(['--seconds', seconds]), interrupted: untilInterrupted() };
  const stops = new Stops();
  const columns = [];
  try {
    const dir = await temporaryDir(stops);
    const why = await whyNoPerf(dir);
    if (why !== undefined) throw new UnavailableError(why);
    if (!existsSync(new URL('../dist/index.js', import.meta.url)))
      throw new UsageError('there is no dist: npm run build');
    for (const theCase of cases) {
      process.stderr.write(`${theCase.name}\n`);
      const ofCase = new Stops();
      stops.add(() => ofCase.run());
      columns.push(...(await profileCase(theCase, options, dir, ofCase)));
      for (const error of await ofCase.run()) throw error;
    }
  } finally {
    for (const error of await stops.run()) process.stderr.write(`${error.message}\n`);
  }
  return columns;
}

/** Of what perf printed elsewhere, a column for each process. */
async function profileOfFile(file) {
  const counts = await countSamples(stacksIn(createInterface({ input: createReadStream(file) })));
  return [...counts].map(([pid, each]) => ({ title: `process ${pid}`, ...each }));
}

function originOf({ cpu, cores, system, node, commit, date }, { scenario }, columns) {
  const command = ['npm run bench:profile', ...(scenario === 'all' ? [] : [`-- --scenario ${scenario}`])].join(' ');
  const measured = [`${cores} cores of ${cpu}`, system, `Node ${node}`, commit && `commit ${commit}`, date];
  const others = Math.max(...columns.map(({ otherCores = 0 }) => otherCores));
  const quiet = `Other processes used ${others.toFixed(1)} cores at most.`;
  return `Microseconds of CPU for a message, in brackets their share. ${measured.filter(Boolean).join(', ')}, \`${command}\`. ${quiet}`;
}

async function main(args) {
  const options = readArguments(args);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  if (options['perf-script'] !== undefined) {
    process.stdout.write(`${profileTable(await profileOfFile(options['perf-script']))}\n`);
    return;
  }
  const where = machine();
  const page = options.page === undefined ? undefined : path.resolve(options.page);
  if (page !== undefined) mustBeCommitted(page, where);
  const columns = await profileAll(options);
  const profile = `${originOf(where, options, columns)}\n\n${profileTable(columns)}`;
  process.stdout.write(`${profile}\n`);
  if (page !== undefined) await writeBetween(page, MARKS, profile);
  if (options['json-out'] !== undefined)
    await writeFile(options['json-out'], `${JSON.stringify({ machine: where, args, columns }, null, 2)}\n`);
}

await runTool(
  TOOL,
  () => main(process.argv.slice(2)),
  (error) => [UnavailableError, InterruptedError].some((each) => error instanceof each),
);
