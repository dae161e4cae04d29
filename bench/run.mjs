/** `npm run bench`: how fast Koukan is on this machine, and whether it keeps its promises meanwhile. Method and figures: docs/performance.md. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { burstFaultsOf } from './bursts.mjs';
import { peersOf } from './cases.mjs';
import { Child } from './child.mjs';
import { runTool, UsageError } from './command-line.mjs';
import { judgeCase } from './comparison.mjs';
import { runCase } from './contest.mjs';
import { temporaryDir } from './environment.mjs';
import { HELP } from './help.mjs';
import { InterruptedError, untilInterrupted } from './interrupted.mjs';
import { machine } from './machine.mjs';
import { readOptions } from './options.mjs';
import { contestantsOf, PeerPool } from './peers/index.mjs';
import { prefill } from './prefill.mjs';
import { lineOf } from './report.mjs';
import { describeVerdict, faultsOf, verdictOf } from './soak.mjs';
import { Stops } from './stops.mjs';
import { tableOf } from './table.mjs';

const TOOL = { name: 'bench', command: 'npm run bench' };
const OTHER_RELAY = { name: 'other relay', messages: 1000, goals: [] };

async function startHarness(sinkPort, stops) {
  const sink = new Child('./sink.mjs');
  stops.add(() => sink.stop());
  const generator = new Child('./generator.mjs');
  stops.add(() => generator.stop());
  return { sink, generator, sinkPort: await sink.ask('listen', { port: sinkPort }) };
}

function complain(message) {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}

/** All cases, one after the other; resolves with their results. */
async function runAll(options, stops) {
  const interrupted = untilInterrupted();
  const harness = await startHarness(options.sinkPort, stops);
  const dir = await temporaryDir(stops);
  const { nodeOptions } = options;
  const pool = new PeerPool({ dir, sinkPort: harness.sinkPort, nodeOptions, interrupted }, stops);
  const found = await PeerPool.find(options.peers);
  for (const [name, { isThere, why }] of Object.entries(found)) {
    if (!isThere) process.stderr.write(`${name}: not found (${why})\n`);
  }
  const context = { options, harness, interrupted, pool, complain };
  const prepareAged = options.prefill && ((environment) => prefill(environment, options.prefill));
  const results = [];
  for (const theCase of options.target ? [OTHER_RELAY] : options.cases) {
    const others = othersOf(theCase, options, found);
    try {
      const contestants = await runCase(theCase, { others, prepareAged }, context);
      results.push(judgeCase(theCase, options.load, contestants));
    } catch (error) {
      // What ends one case does not end the others: the figures of a quarter of an hour would be gone with it.
      interrupted.throwIfAborted();
      complain(`${theCase.name}: ${error.message}`);
      continue;
    }
    const result = results.at(-1);
    if (options.soak !== undefined) judgeSoak(result, options.soak);
    if (!options.compares) process.stdout.write(`${JSON.stringify(lineOf(result))}\n`);
    if (!result.isClean) process.exitCode = 1;
  }
  return { machine: machine(), args: process.argv.slice(2), peers: found, results };
}

/** What a long load says, of each contestant. */
function judgeSoak({ name, contestants }, pieces) {
  for (const who of contestants) {
    who.soak = verdictOf(pieces, who.each_run);
    const title = contestants.length === 1 ? name : `${name} ${who.name}`;
    process.stderr.write(`${describeVerdict(title, who.soak)}\n`);
    if (who.isPeer) continue;
    const faults = [...faultsOf(who.soak), ...(who.bursts ? burstFaultsOf(who.bursts) : [])];
    for (const fault of faults) complain(`FAIL ${title}: ${fault}`);
  }
}

/** Whom a case is measured with: in a table those it names, else those that the options name, as far as they are there. */
function othersOf(theCase, { peers, isTable, target }, found) {
  if (target) return [];
  const there = peers.filter((name) => found[name].isThere);
  const chosen = contestantsOf(theCase.way, there);
  if (!isTable) return chosen;
  const wanted = peersOf(theCase);
  const named = wanted.filter((name) => there.includes(name.split('-')[0]));
  // No goal is about Haraka: it stands beside Koukan wherever anybody else does.
  const beside = wanted.length === 0 ? [] : chosen.filter((name) => name.startsWith('haraka'));
  return [...named, ...beside];
}

async function main(args) {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  if (!options.target && !existsSync(new URL('../dist/index.js', import.meta.url)))
    throw new UsageError('there is no dist: npm run build');
  const stops = new Stops();
  let everything;
  try {
    everything = await runAll(options, stops);
  } finally {
    for (const error of await stops.run()) complain(error.message);
  }
  if (options.compares) process.stdout.write(tableOf(everything));
  if (options.jsonOut !== undefined) await writeFile(options.jsonOut, `${JSON.stringify(everything, null, 2)}\n`);
}

await runTool(
  TOOL,
  () => main(process.argv.slice(2)),
  (error) => error instanceof InterruptedError,
);
