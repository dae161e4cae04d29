/**
 * Kills `koukan serve` under load, again and again at points that a seed chooses, and accounts for every promise: what was answered 250 or
 * 201 arrives, and arrives twice only when a kill lies between (RFC 5321 §4.5.5: after the dot, before its answer is recorded).
 *
 *   node test/crash/run.mjs [--kills 30] [--seed 1] [--clients 8]      after `npm run build`; prints one JSON object, exits 1 for a loss
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { sendRest, sendSmtp } from './clients.mjs';
import { FarEnd } from './far-end.mjs';

const BIN = path.resolve(import.meta.dirname, '../../bin/koukan.js');
const ARRIVAL_DEADLINE_MS = 120_000;
const PROMISES_BETWEEN_KILLS = 60;
const DELAY_MS = 30;

/** A small generator of numbers in [0, 1): the same seed, the same kills. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** `life` is how this life of the server introduces itself to the far end. */
async function writeConfig(folder, { rest, out, smtp, far }, life) {
  const router = `
global: {mailer_daemon_mailbox: mailer-daemon@example.com}
rest_listener: {addr: [127.0.0.1, ${rest}], session_uri: 'http://127.0.0.1:${rest}'}
storage: {url: 'sqlite:///${path.join(folder, 'koukan.sqlite')}'}
log: {level: error, format: text}
sender:
- {name: app, output_chain: deliver, retry: output_chain, notification: output_chain}
- {name: bounces, output_chain: deliver, retry: output_chain}
- {name: msa, output_chain: deliver, tag: [{name: smtp, output_chain: stored, upstream_tag: out}, {name: out, output_chain: deliver}]}
rest_endpoint:
- {name: gateway, endpoint: 'http://127.0.0.1:${out}/senders/router/transactions', sender: router, tag: outbound}
endpoint:
- {name: stored, chain: [{filter: exploder, msa: true, rcpt_timeout: 0, data_timeout: 0}]}
- name: deliver
  output_handler:
    retry_params: {max_attempts: 1000, min_attempt_time: 1, max_attempt_time: 1, deadline: 3600}
    notification: {sender: bounces}
  chain: [{filter: router, destination: {endpoint: gateway, host_list: [{host: 127.0.0.1, port: ${far}}]}}, {filter: rest_output}]
`;
  const gateway = `
rest_listener: {addr: [127.0.0.1, ${out}], session_uri: 'http://127.0.0.1:${out}'}
smtp_output: {hosts: {outbound: {ehlo_host: ${life}, timeout: 10}}}
smtp_listener: {services: [{addr: [127.0.0.1, ${smtp}], endpoint: router, sender: msa, tag: smtp}]}
rest_output: [{name: router, endpoint: 'http://127.0.0.1:${rest}/senders/msa/transactions'}]
log: {level: error, format: text}
`;
  await writeFile(path.join(folder, 'router.yaml'), router);
  await writeFile(path.join(folder, 'gateway.yaml'), gateway);
}

class Crashes {
  #options;
  #random;
  #far = new FarEnd();
  #promised = new Set();
  #lives = 0;
  #sent = 0;
  #isOver = false;

  constructor(options) {
    this.#options = options;
    this.#random = generator(options.seed);
  }

  async run(folder) {
    const ports = {
      far: await this.#far.listen(),
      rest: await freePort(),
      out: await freePort(),
      smtp: await freePort(),
    };
    const clients = Array.from({ length: this.#options.clients }, (_, i) => this.#client(i, ports));
    let server = await this.#start(folder, ports);
    try {
      for (let kill = 0; kill < this.#options.kills; kill += 1) {
        await this.#killPoint(server);
        await end(server, 'SIGKILL');
        server = await this.#start(folder, ports);
      }
      this.#isOver = true;
      await Promise.all(clients);
      await this.#arrived();
    } finally {
      this.#isOver = true;
      await end(server, 'SIGKILL');
      await this.#far.close();
    }
    return this.#account();
  }

  async #start(folder, ports) {
    this.#lives += 1;
    await writeConfig(folder, ports, `life${this.#lives}.example`);
    const args = [BIN, 'serve', 'router.yaml', 'gateway.yaml'];
    return spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  }

  async #client(number, { smtp, rest }) {
    const isRest = number % 4 === 3;
    while (!this.#isOver) {
      this.#sent += 1;
      const id = `m${this.#sent}`;
      if (await (isRest ? sendRest(rest, id) : sendSmtp(smtp, id))) this.#promised.add(id);
      else await sleep(20);
    }
  }

  /** Some promises after the last kill, and then at any moment. */
  async #killPoint(server) {
    const enough = this.#promised.size + 1 + Math.floor(this.#random() * PROMISES_BETWEEN_KILLS);
    const delayMs = this.#random() * DELAY_MS;
    const deadline = performance.now() + ARRIVAL_DEADLINE_MS;
    while (this.#promised.size < enough && performance.now() < deadline) {
      if (server.exitCode !== null) throw new Error('koukan serve ended by itself');
      await sleep(2);
    }
    await sleep(delayMs);
  }

  #lost() {
    return [...this.#promised].filter((id) => !this.#far.arrivals.has(id));
  }

  async #arrived() {
    const deadline = performance.now() + ARRIVAL_DEADLINE_MS;
    while (this.#lost().length > 0 && performance.now() < deadline) await sleep(50);
    // What would come a second time without reason has the time of one more retry to do so.
    await sleep(1500);
  }

  #account() {
    const twice = [...this.#far.arrivals].filter(([, times]) => times.length > 1);
    // One life sends a message once; what the life before it had sent, it may not have recorded.
    const isExplained = ([, lives]) => new Set(lives).size === lives.length;
    return {
      seed: this.#options.seed,
      kills: this.#lives - 1,
      promised: this.#promised.size,
      arrived: this.#far.arrivals.size,
      lost: this.#lost(),
      twice: twice.length,
      unexplained: twice.filter((each) => !isExplained(each)).map(([id]) => id),
    };
  }
}

async function end(server, signal) {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill(signal);
  await gone;
}

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '8' },
  },
});
const folder = await mkdtemp(path.join(tmpdir(), 'koukan-crash-'));
try {
  const options = { kills: Number(values.kills), seed: Number(values.seed), clients: Number(values.clients) };
  const account = await new Crashes(options).run(folder);
  process.stdout.write(`${JSON.stringify(account)}\n`);
  process.exitCode = account.lost.length + account.unexplained.length > 0 ? 1 : 0;
} finally {
  await rm(folder, { recursive: true, force: true });
}
