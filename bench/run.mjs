/** `npm run bench`: how fast Koukan is on this machine, and whether it keeps its promises meanwhile. Method and figures: docs/performance.md. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Child } from './child.mjs';
import { startEnvironment } from './environment.mjs';
import { machine } from './machine.mjs';
import { measure, untilReady } from './measure.mjs';
import { HELP, readOptions, UsageError } from './options.mjs';
import { printRun, summaryOf } from './report.mjs';
import { Stops } from './stops.mjs';
import { isClean } from './tally.mjs';

const EXIT_USAGE = 64;
const OTHER_RELAY_MESSAGES = 1000;

class InterruptedError extends Error {
  constructor(signal, number) {
    super(`interrupted (${signal})`);
    this.exitCode = 128 + number;
  }
}

/** A second signal ends it at once. */
function untilInterrupted() {
  const controller = new AbortController();
  for (const [signal, number] of [
    ['SIGHUP', 1],
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ]) {
    process.once(signal, () => controller.abort(new InterruptedError(signal, number)));
  }
  return controller.signal;
}

async function startHarness(sinkPort, stops) {
  const sink = new Child('./sink.mjs');
  stops.add(() => sink.stop());
  const generator = new Child('./generator.mjs');
  stops.add(() => generator.stop());
  return { sink, generator, sinkPort: await sink.ask('listen', { port: sinkPort }) };
}

/** Another relay, which is there already. */
const relayOf = ({ target, pids }, interrupted) => ({ target, pids, storePids: [], ended: interrupted });

/** All runs of one scenario, in an environment of its own, of which nothing is left. */
async function runScenario(scenario, options, interrupted) {
  const stops = new Stops();
  try {
    return await runIn(stops, scenario, options, interrupted);
  } finally {
    for (const error of await stops.run()) {
      process.stderr.write(`${scenario.name}: ${error.message}\n`);
      process.exitCode = 1;
    }
  }
}

async function runIn(stops, scenario, options, interrupted) {
  const harness = await startHarness(options.sinkPort, stops);
  const environment = options.target
    ? relayOf(options, interrupted)
    : await startEnvironment(scenario, { ...options, sinkPort: harness.sinkPort, interrupted }, stops);
  const { load } = options;
  await untilReady(environment, harness, load);
  const warmup = options.warmupOf(scenario);
  if (warmup > 0) await measure(environment, harness, { ...load, count: warmup });
  const runs = [];
  for (let i = 0; i < options.repeat; i += 1) {
    runs.push(await measure(environment, harness, { ...load, count: options.countOf(scenario) }));
    printRun(scenario.name, runs[i]);
  }
  return runs;
}

async function main(args) {
  const options = readOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  if (!existsSync(new URL('../dist/index.js', import.meta.url)))
    throw new UsageError('there is no dist: npm run build');
  const interrupted = untilInterrupted();
  const { store } = options;
  const { sizeBytes, sessions } = options.load;
  const scenarios = options.target ? [{ name: 'other relay', messages: OTHER_RELAY_MESSAGES }] : options.scenarios;
  const results = [];
  for (const scenario of scenarios) {
    const runs = await runScenario(scenario, options, interrupted);
    const n = options.countOf(scenario);
    const facts = { scenario: scenario.name, ...(!options.target && { store }), n, size: sizeBytes, sessions };
    process.stdout.write(`${JSON.stringify({ ...facts, ...summaryOf(runs) })}\n`);
    results.push({ ...facts, runs });
    if (!runs.every(isClean)) process.exitCode = 1;
  }
  if (options.jsonOut !== undefined) {
    await writeFile(options.jsonOut, `${JSON.stringify({ machine: machine(), results }, null, 2)}\n`);
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const isExpected = error instanceof UsageError || error instanceof InterruptedError;
  process.stderr.write(isExpected ? `bench: ${error.message}\n` : `${error.stack}\n`);
  process.exitCode = error instanceof UsageError ? EXIT_USAGE : (error.exitCode ?? 1);
}
