/**
 * `npm run crash`: disturbs programs and databases under load, again and again at points that a seed chooses, and accounts for every promise: what
 * was answered 250 or 201 arrives with each of its bytes, or its sender is told; it arrives twice only when a kill lies between (RFC 5321 §4.5.5:
 * after the dot, before its answer is recorded); with the policies `hold` and `ask` it never does. Nothing is left in the queue at the end, no program
 * ends that nobody ended, and nobody waits for a promise for a minute.
 *
 * Prints one JSON object for each engine and shape on standard output; all that is for people goes to standard error. Options and figures: help.mjs.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runTool, UsageError } from '../../bench/command-line.mjs';
import { Cluster } from './cluster.mjs';
import { UnavailableError } from './database.mjs';
import { HELP } from './help.mjs';
import { commandOf, readOptions } from './options.mjs';
import { faultsOf } from './verdict.mjs';
import { describeAccount, describeFaults, describeProgress } from './words.mjs';

const TOOL = { name: 'crash', command: 'npm run crash' };
/** Rarely enough for a log of an hour, often enough for who waits. */
const PROGRESS_MS = 5000;

const say = (text) => process.stderr.write(`${text}\n`);

/** Answers whether it was clean; only then nothing is left of it. */
async function run(options) {
  const folder = await mkdtemp(path.join(tmpdir(), 'koukan-crash-'));
  const cluster = new Cluster(options);
  const startedAt = performance.now();
  const seconds = () => Math.round((performance.now() - startedAt) / 1000);
  const progress = setInterval(() => say(describeProgress(options, cluster.progress(), seconds())), PROGRESS_MS);
  let isClean = true;
  try {
    const account = await cluster.run(folder);
    account.faults = faultsOf(account, options);
    isClean = account.faults.length === 0;
    process.stdout.write(`${JSON.stringify(account)}\n`);
    say(isClean ? describeAccount(account) : describeFaults(account, { keptIn: folder, command: commandOf(options) }));
  } finally {
    clearInterval(progress);
    if (isClean) await rm(folder, { recursive: true, force: true });
  }
  return isClean;
}

async function main(args) {
  const { help, runs } = readOptions(args);
  if (help) {
    process.stdout.write(HELP);
    return;
  }
  if (!existsSync(new URL('../../dist/index.js', import.meta.url)))
    throw new UsageError('there is no dist: npm run build');
  for (const options of runs) if (!(await run(options))) process.exitCode = 1;
}

await runTool(
  TOOL,
  () => main(process.argv.slice(2)),
  (error) => error instanceof UnavailableError,
);
