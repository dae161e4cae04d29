/**
 * Routers on one PostgreSQL and gateways, each kind behind one address, under load. At points that a seed chooses, one is killed, at once
 * followed by another life of it or not for a while; or a router is stopped for so long that the others take over, and goes on then; or every
 * connection to the database breaks.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Balancer } from './balancer.mjs';
import { sendRest, sendSmtp } from './clients.mjs';
import { openDatabase } from './database.mjs';
import { FarEnd } from './far-end.mjs';
import { end, freePort, generator, koukan } from './ground.mjs';

/** The exit code of a router that cannot reach its database at start. */
const UNAVAILABLE = 69;
const DEADLINE_MS = 120_000;
const PROMISES_BETWEEN = 30;
const DELAY_MS = 50;
const REFRESH_SECONDS = 0.5;
const TTL_SECONDS = 2;
/** Longer than a session lives: the others have taken over. */
const ABSENCE_MS = 1000 * (TTL_SECONDS + 3 * REFRESH_SECONDS);
/** From a final dot to the record of its answer, on a machine that has other things to do. */
const WINDOW_MS = 3000;

export class Cluster {
  #options;
  #random;
  #far = new FarEnd();
  #routers = [];
  #gateways = [];
  #balancers = [];
  #database;
  #promised = new Set();
  /** When each life of a daemon was stopped, or ended, by its name. */
  #endedAt = new Map();
  #troubles = [];
  #returns = [];
  #sent = 0;
  #isOver = false;

  constructor(options) {
    this.#options = options;
    this.#random = generator(options.seed);
  }

  async run(folder) {
    try {
      await this.#build(folder);
      const clients = Array.from({ length: this.#options.clients }, (_, i) => this.#client(i));
      for (let kill = 0; kill < this.#options.kills; kill += 1) await this.#disturb();
      this.#isOver = true;
      await Promise.all([...clients, ...this.#returns]);
      await this.#arrived();
      return this.#account();
    } finally {
      this.#isOver = true;
      await Promise.all([...this.#routers, ...this.#gateways].map(({ child }) => end(child, 'SIGKILL')));
      await Promise.all([this.#far, ...this.#balancers].map((each) => each.close()));
      await this.#database?.close();
    }
  }

  async #build(folder) {
    this.#database = await openDatabase(folder, this.#options.postgres);
    await new Promise((resolve) => koukan(folder, 'db', 'init', '--url', this.#database.url).once('exit', resolve));
    const ports = (count) => Promise.all(Array.from({ length: count }, freePort));
    const [routers, gateways, smtp] = [
      await ports(this.#options.routers),
      await ports(this.#options.gateways),
      await ports(this.#options.gateways),
    ];
    this.#balancers = [new Balancer(routers), new Balancer(gateways)];
    const [service, out] = await Promise.all(this.#balancers.map((each) => each.listen()));
    const far = await this.#far.listen();
    this.#routers = routers.map((port, i) => ({
      kind: 'router',
      name: `router${i}`,
      port,
      yaml: (life) => routerYaml(this.#database.url, { port, service, out, far }, life),
    }));
    this.#gateways = gateways.map((port, i) => ({
      kind: 'gateway',
      name: `gateway${i}`,
      port,
      smtp: smtp[i],
      yaml: (life) => gatewayYaml({ port, smtp: smtp[i], service }, life),
    }));
    for (const each of [...this.#routers, ...this.#gateways]) await this.#live(folder, each);
    this.#folder = folder;
  }

  #folder;

  async #live(folder, each) {
    each.lives = (each.lives ?? 0) + 1;
    each.life = `${each.name}-${each.lives}.example`;
    each.isAway = false;
    const file = `${each.name}.yaml`;
    await writeFile(path.join(folder, file), each.yaml(each.life));
    each.child = koukan(folder, each.kind, file);
    // Started while the database was away: a service manager starts it again.
    each.child.once('exit', (code) => {
      if (code === UNAVAILABLE && !this.#isOver) this.#later(() => this.#live(folder, each));
    });
  }

  async #client(number) {
    const isRest = number % 4 === 3;
    while (!this.#isOver) {
      this.#sent += 1;
      const id = `m${this.#sent}`;
      const nodes = isRest ? this.#routers : this.#gateways;
      const node = nodes[this.#sent % nodes.length];
      if (await (isRest ? sendRest(node.port, id) : sendSmtp(node.smtp, id))) this.#promised.add(id);
      else await sleep(20);
    }
  }

  /** Some promises after the last disturbance, and then at any moment. */
  async #disturb() {
    const enough = this.#promised.size + 1 + Math.floor(this.#random() * PROMISES_BETWEEN);
    const [what, who, delay] = [this.#random(), this.#random(), this.#random() * DELAY_MS];
    const deadline = performance.now() + DEADLINE_MS;
    while (this.#promised.size < enough && performance.now() < deadline) await sleep(2);
    await sleep(delay);
    if (what < 0.15) return this.#cutDatabase();
    const nodes = (what < 0.35 ? this.#gateways : this.#routers).filter(({ isAway }) => !isAway);
    const node = nodes[Math.floor(who * nodes.length)];
    if (node === undefined) return;
    this.#endedAt.set(node.life, [...(this.#endedAt.get(node.life) ?? []), performance.now()]);
    if (what < 0.55 && node.kind === 'router') this.#stop(node);
    else await this.#kill(node, what > 0.8);
  }

  async #cutDatabase() {
    const from = performance.now();
    await this.#database.trouble();
    this.#troubles.push({ from, to: performance.now() + WINDOW_MS });
  }

  /** It goes on when the others have taken over, in the middle of whatever it was doing. */
  #stop(node) {
    node.isAway = true;
    node.child.kill('SIGSTOP');
    this.#later(() => {
      node.child.kill('SIGCONT');
      node.isAway = false;
    });
  }

  async #kill(node, isForAWhile) {
    node.isAway = true;
    await end(node.child, 'SIGKILL');
    if (isForAWhile) this.#later(() => this.#live(this.#folder, node));
    else await this.#live(this.#folder, node);
  }

  #later(task) {
    this.#returns.push(sleep(ABSENCE_MS).then(task));
  }

  #lost() {
    return [...this.#promised].filter((id) => !this.#far.arrivals.has(id));
  }

  async #arrived() {
    const deadline = performance.now() + DEADLINE_MS;
    while (this.#lost().length > 0 && performance.now() < deadline) await sleep(50);
    // What would come a second time without reason has the time of a take-over and one more retry to do so.
    await sleep(ABSENCE_MS);
  }

  #account() {
    const twice = [...this.#far.arrivals].filter(([, copies]) => copies.length > 1);
    const isExplained = ([, copies]) => copies.slice(0, -1).every((copy) => this.#isUnrecorded(copy));
    return {
      seed: this.#options.seed,
      kills: this.#options.kills,
      lives: [...this.#routers, ...this.#gateways].map(({ lives }) => lives),
      promised: this.#promised.size,
      arrived: this.#far.arrivals.size,
      lost: this.#lost(),
      twice: twice.length,
      unexplained: twice
        .filter((each) => !isExplained(each))
        .map(([id, copies]) => ({
          id,
          copies: copies.map((copy) => ({ ...copy, endedAt: this.#endedAt.get(copy.router) })),
        })),
    };
  }

  /** Whether the answer to this copy may have been lost: who was to record it, or to pass it on, ended in that moment. */
  #isUnrecorded({ client, router, at }) {
    const isCut = this.#troubles.some(({ from, to }) => at > from - WINDOW_MS && at < to);
    // What a router had handed over, its gateway sends though the router is gone.
    const isEnd = (endedAt) => Math.abs(endedAt - at) < WINDOW_MS || (isCut && endedAt > at);
    return [client, router].some((life) => this.#endedAt.get(life)?.some(isEnd));
  }
}

function routerYaml(url, { port, service, out, far }, life) {
  return `
global: {mailer_daemon_mailbox: mailer-daemon@example.com}
rest_listener:
  addr: [127.0.0.1, ${port}]
  session_uri: http://127.0.0.1:${port}
  service_uri: http://127.0.0.1:${service}
storage: {url: '${url}', session_refresh_interval: ${REFRESH_SECONDS}, session_ttl: ${TTL_SECONDS}}
log: {level: silent, format: text}
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
  chain:
  - {filter: received_header, received_hostname: ${life}}
  - {filter: router, destination: {endpoint: gateway, host_list: [{host: 127.0.0.1, port: ${far}}]}}
  - {filter: rest_output}
`;
}

function gatewayYaml({ port, smtp, service }, life) {
  return `
rest_listener: {addr: [127.0.0.1, ${port}], session_uri: 'http://127.0.0.1:${port}'}
smtp_output: {hosts: {outbound: {ehlo_host: ${life}, timeout: 10}}}
smtp_listener: {services: [{addr: [127.0.0.1, ${smtp}], endpoint: router, sender: msa, tag: smtp}]}
rest_output: [{name: router, endpoint: 'http://127.0.0.1:${service}/senders/msa/transactions'}]
log: {level: silent, format: text}
`;
}
