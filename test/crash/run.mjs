/**
 * Kills `koukan serve` under load, again and again at points that a seed chooses, and accounts for every promise: what was answered 250 or
 * 201 arrives, and arrives twice only when a kill lies between (RFC 5321 §4.5.5: after the dot, before its answer is recorded). With
 * `--routers`, a cluster instead: so many routers on one PostgreSQL, and gateways.
 *
 *   node test/crash/run.mjs [--kills 30] [--seed 1] [--clients 8] [--routers 3 [--gateways 2] [--postgres URL]]
 *
 * after `npm run build`; prints one JSON object, exits 1 for a loss or a duplicate without a reason.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { sendRest, sendSmtp } from './clients.mjs';
import { Cluster } from './cluster.mjs';
import { FarEnd } from './far-end.mjs';
import { end, freePort, generator, koukan } from './ground.mjs';

const ARRIVAL_DEADLINE_MS = 120_000;
const PROMISES_BETWEEN_KILLS = 60;
const DELAY_MS = 30;

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
- {name: msa, open_relay: true, output_chain: deliver, tag: [{name: smtp, output_chain: stored, upstream_tag: out}, {name: out, output_chain: deliver}]}
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
    return koukan(folder, 'serve', 'router.yaml', 'gateway.yaml');
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
    const isExplained = ([, copies]) => new Set(copies.map(({ client }) => client)).size === copies.length;
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

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '8' },
    routers: { type: 'string' },
    gateways: { type: 'string', default: '2' },
    postgres: { type: 'string' },
  },
});
const folder = await mkdtemp(path.join(tmpdir(), 'koukan-crash-'));
try {
  const { routers, postgres } = values;
  const options = { kills: Number(values.kills), seed: Number(values.seed), clients: Number(values.clients) };
  const crashes =
    routers === undefined
      ? new Crashes(options)
      : new Cluster({ ...options, routers: Number(routers), gateways: Number(values.gateways), postgres });
  const account = await crashes.run(folder);
  process.stdout.write(`${JSON.stringify(account)}\n`);
  process.exitCode = account.lost.length + account.unexplained.length > 0 ? 1 : 0;
} finally {
  await rm(folder, { recursive: true, force: true });
}
