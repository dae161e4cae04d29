/**
 * `npm run bench:overload`: what becomes of a modest client while another floods. A real `koukan serve`, a far end that takes its time, a modest
 * client with a few sessions from one address, and one from another address with far more sessions than there are places. Prints what each was
 * answered and how long those that were admitted took, and accounts for every message. Exit code 1 when a message was lost, came twice or changed,
 * when the modest client had to wait too long, or when anybody was left without an answer. Method and figures: docs/performance.md.
 */
import { Child } from './child.mjs';
import { startEnvironment } from './environment.mjs';
import { boundMs, faultsOf } from './flood-verdict.mjs';
import { untilReady } from './measure.mjs';
import { newRunId } from './message.mjs';
import { MessageMix } from './message-mix.mjs';
import { usageOf } from './process-usage.mjs';
import { scenarioOf } from './scenarios.mjs';
import { percentile, round } from './statistics.mjs';
import { Stops } from './stops.mjs';
import { judge } from './tally.mjs';

const SECONDS = 10;
const WARMUP_SECONDS = 5;
const SINK_DELAY_MS = 50;
const PATIENCE_MS = 20_000;
/** Messages that the listener takes at the same time, and connections that the far end gets. */
const BOUND_MS = boundMs({ places: 1000, lanes: 100, delayMs: SINK_DELAY_MS });
/** Numbers of the messages of each client: none of them sends so many. */
const MESSAGES_MAX = 200_000;
const TRIES = 65_535;

const MODEST = { name: 'modest', localAddress: '127.0.0.2', sessions: 10, from: 0 };
const FLOODER = { name: 'flood', localAddress: '127.0.0.1', from: MESSAGES_MAX };
/** More than the listener has sessions, and than there are transactions at work. */
const FLOODS = [0, 200, 2000, 4000];

const load = { sizeBytes: 4096, rcpts: 1, perConnection: 0, isPipelining: false, patienceMs: PATIENCE_MS };
const readyLoad = { ...load, sessions: 1, tries: 1, sinkDelayMs: 0, sinkRefusedShare: 0 };

async function start(stops) {
  const sink = new Child('./sink.mjs');
  stops.add(() => sink.stop());
  const generators = [new Child('./generator.mjs'), new Child('./generator.mjs')];
  for (const generator of generators) stops.add(() => generator.stop());
  const sinkPort = await sink.ask('listen', { port: 0 });
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interrupted.abort(new Error(signal)));
  const settings = { store: 'sqlite', sinkPort, nodeOptions: [], interrupted: interrupted.signal };
  const environment = await startEnvironment({ ...scenarioOf('relay', 'serve'), gateways: 1 }, settings, stops);
  return { sink, generators, environment };
}

/** All clients at once, for so long; answers what each of them has seen. */
async function run({ sink, generators, environment }, clients, seconds) {
  const runId = newRunId();
  const { crcs } = new MessageMix(runId, load);
  const count = 2 * MESSAGES_MAX;
  await sink.ask('start', { runId, count, rcpts: 1, crcs, delayMs: SINK_DELAY_MS, refusedShare: 0 });
  const ask = { ...load, target: environment.target, runId, tries: TRIES, timesLastTry: true, forMs: seconds * 1000 };
  const sent = await Promise.all(
    clients.map(({ sessions, from, localAddress }, i) =>
      generators[i].ask('run', { ...ask, sessions, from, localAddress, count: from + MESSAGES_MAX }),
    ),
  );
  const arrived = await sink.ask('report');
  const acceptedAt = arrived.at.map((_, i) => Math.max(...sent.map((each) => each.acceptedAt[i] ?? 0)));
  return { sent, account: judge(acceptedAt, 1, arrived) };
}

function rowOf(name, { startedAt, acceptedAt, refusals, deferred }, seconds) {
  const times = [...acceptedAt.keys()].filter((i) => acceptedAt[i] > 0).map((i) => acceptedAt[i] - startedAt[i]);
  const lost = Object.values(refusals).reduce((sum, each) => sum + each, 0);
  return {
    client: name,
    'accepted/s': round(times.length / seconds),
    'refused/s': round((deferred + lost) / seconds),
    'p50 ms': round(percentile(times, 0.5)),
    'p99 ms': round(percentile(times, 0.99)),
    'longest ms': round(times.at(-1)),
  };
}

/** Says what is wrong with a case, and makes the command fail. */
function sayFaults(sessions, clients, sent, account, rows) {
  const modest = rows.find(({ client }) => client === MODEST.name);
  const answered = clients.map(({ name }, i) => ({ ...sent[i], name }));
  const found = { account, clients: answered, accepted: modest['accepted/s'], p99Ms: modest['p99 ms'] };
  for (const fault of faultsOf(found, BOUND_MS)) {
    process.stderr.write(`FAIL with ${sessions} flooding sessions: ${fault}\n`);
    process.exitCode = 1;
  }
}

async function main(stops) {
  const all = await start(stops);
  await untilReady(all.environment, { sink: all.sink, generator: all.generators[0] }, readyLoad);
  await run(all, [{ ...MODEST, sessions: 50 }], WARMUP_SECONDS);
  const rows = [];
  for (const sessions of FLOODS) {
    const clients = sessions === 0 ? [MODEST] : [MODEST, { ...FLOODER, sessions }];
    const { sent, account } = await run(all, clients, SECONDS);
    const { peakRssMb } = usageOf(all.environment.pids);
    const added = clients.map(({ name }, i) => {
      return { 'flooding sessions': sessions, ...rowOf(name, sent[i], SECONDS), 'peak RSS MB': round(peakRssMb) };
    });
    rows.push(...added);
    sayFaults(sessions, clients, sent, account, added);
  }
  const names = Object.keys(rows[0]);
  const lines = [names, names.map(() => '---'), ...rows.map((row) => names.map((name) => row[name] ?? ''))];
  process.stdout.write(lines.map((cells) => `| ${cells.join(' | ')} |\n`).join(''));
}

const stops = new Stops();
try {
  await main(stops);
} finally {
  for (const error of await stops.run()) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
