/** Everything Koukan needs for one scenario: directory, database, daemons. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeConfigs } from './configs.mjs';
import { startKoukan } from './daemon.mjs';
import { openDatabase } from './databases.mjs';
import { freePorts, untilListening } from './ports.mjs';
import { isStored } from './scenarios.mjs';

const START_MS = 120_000;
const KEY_BITS = 2048;

/** The command lines of each shape. */
const commands = {
  serve: ({ router, gateways }) => [['serve', router, ...gateways]],
  split: ({ router, gateways }) => [['router', router], ...gateways.map((file) => ['gateway', file])],
};

/** A directory of its own below that for temporary files. */
export async function temporaryDir(stops) {
  const dir = await mkdtemp(path.join(tmpdir(), 'koukan-bench-'));
  stops.add(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/**
 * `prepare` is called before it is used, with a database as the product made it and with functions to start and stop the product on it. `stops` collects
 * how to stop what was started, also when this rejects.
 */
export async function startEnvironment(scenario, context, stops, prepare) {
  const { store, sinkPort, nodeOptions, interrupted, garbage } = context;
  const dir = await temporaryDir(stops);
  const database = await openDatabase[store](dir, stops);
  const ports = await choosePorts(scenario);
  const [closedPort] = await freePorts(1);
  const keyFile = await writeKey(dir);
  const { way, shape } = scenario;
  const settings = { ports, way, sinkPort, closedPort, storageUrl: database.url, keyFile, garbage };
  const files = await writeConfigs(dir, settings);
  const daemons = new Daemons(commands[shape](files), { nodeOptions, interrupted, ports });
  stops.add(() => daemons.stop());
  await prepare?.({ database, daemons, rest: targetOf('rest', ports) });
  const ended = await daemons.start();
  const { pids } = daemons;
  const target = targetOf(scenario.protocol, ports);
  const { commits, contents } = database;
  return { target, pids, storePids: database.pids, commits, store: { dir, contents, isStored: isStored(way) }, ended };
}

/** The processes of one configuration, as often as they are started. */
class Daemons {
  #commands;
  #options;
  #running = [];

  constructor(commandLines, options) {
    this.#commands = commandLines;
    this.#options = options;
  }

  get pids() {
    return this.#running.map(({ pid }) => pid);
  }

  /** Resolves with the signal of their end when they take connections. */
  async start() {
    const { nodeOptions, interrupted, ports } = this.#options;
    for (const args of this.#commands) this.#running.push(startKoukan(args, nodeOptions));
    const ended = AbortSignal.any([interrupted, ...this.#running.map((daemon) => daemon.ended)]);
    for (const port of [ports.router, ...ports.gateways, ...ports.smtp]) await untilListening(port, START_MS, ended);
    return ended;
  }

  /** The last one started first; rejects when one did not stop in order, after all have been stopped. */
  async stop() {
    const ends = this.#running.splice(0).reverse();
    const results = await Promise.allSettled(ends.map((daemon) => daemon.stop()));
    const failed = results.find(({ status }) => status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}

async function choosePorts({ gateways }) {
  const [router, ...rest] = await freePorts(1 + 2 * gateways);
  return { router, gateways: rest.slice(0, gateways), smtp: rest.slice(gateways) };
}

function targetOf(protocol, ports) {
  const host = '127.0.0.1';
  if (protocol === 'smtp') return { protocol, host, ports: ports.smtp };
  return { protocol, host, ports: [ports.router], path: '/senders/bench/transactions' };
}

async function writeKey(dir) {
  const file = path.join(dir, 'dkim.pem');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: KEY_BITS });
  await writeFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return file;
}
