/**
 * What is crashed: `serve`, or routers and gateways, each kind behind one address, on one database. At points that a seed chooses, under load, a
 * program is killed, at once followed by another life of it or not for a while; or a router is stopped for so long that the others take over,
 * and goes on then; or the database itself is killed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Balancer } from './balancer.mjs';
import { sendRest, sendSmtp } from './clients.mjs';
import { gatewayYaml, routerYaml } from './configurations.mjs';
import { openDatabase } from './database.mjs';
import { FarEnd } from './far-end.mjs';
import { freePort, generator } from './ground.mjs';
import { Ledger } from './ledger.mjs';
import { Node } from './node.mjs';

const DEADLINE_MS = 120_000;
const PROMISES_BETWEEN = 30;
const DELAY_MS = 50;
const REFRESH_SECONDS = 0.5;
const TTL_SECONDS = 2;
/** Longer than a session lives: the others have taken over. */
const ABSENCE_MS = 1000 * (TTL_SECONDS + 3 * REFRESH_SECONDS);
/** How a client hands its messages in. */
const WAYS = ['stored', 'cut', 'rest'];

export class Cluster {
  #options;
  #random;
  #far = new FarEnd();
  #nodes = [];
  #balancers = [];
  #database;
  #ledger;
  #returns = [];
  #sent = 0;
  #disturbances = { program: 0, stopped: 0, database: 0 };
  #isOver = false;

  constructor(options) {
    this.#options = options;
    this.#random = generator(options.seed);
    this.#ledger = new Ledger(options, this.#far);
  }

  async run(folder) {
    try {
      await this.#build(folder);
      const clients = Array.from({ length: this.#options.clients }, (_, i) => this.#client(i));
      for (let kill = 0; kill < this.#options.kills; kill += 1) await this.#disturb();
      this.#isOver = true;
      await Promise.all([...clients, ...this.#returns]);
      const rest = this.#routers.map(({ ports }) => ports.rest);
      await this.#ledger.close(rest, DEADLINE_MS, ABSENCE_MS);
      return {
        ...this.#ledger.account(),
        disturbances: this.#disturbances,
        lives: this.#nodes.map(({ lives }) => lives),
      };
    } finally {
      this.#isOver = true;
      await Promise.all(this.#nodes.map((node) => node.kill()));
      await Promise.all([this.#far, ...this.#balancers].map((each) => each.close()));
      await this.#database?.close();
    }
  }

  get #routers() {
    return this.#nodes.filter(({ kind }) => kind !== 'gateway');
  }

  get #gateways() {
    return this.#nodes.filter(({ kind }) => kind !== 'router');
  }

  async #build(folder) {
    const { shape, engine, policy, routers, gateways } = this.#options;
    this.#database = await openDatabase(folder, this.#options);
    const ports = async (count) => {
      const all = [];
      for (let i = 0; i < count; i += 1) {
        all.push({ rest: await freePort(), out: await freePort(), smtp: await freePort(), cut: await freePort() });
      }
      return all;
    };
    const isServe = shape === 'serve';
    const [here, there] = [await ports(isServe ? 1 : routers), isServe ? [] : await ports(gateways)];
    const ins = here.map(({ rest }) => rest);
    const outs = (isServe ? here : there).map(({ out }) => out);
    // In one process router and gateway reach each other by a call, which they know by the address.
    this.#balancers = isServe ? [] : [new Balancer(ins), new Balancer(outs)];
    const [service = ins[0], out = outs[0]] = await Promise.all(this.#balancers.map((each) => each.listen()));
    const shared = { url: this.#database.url, service, out, far: await this.#far.listen(), policy };
    const cluster = engine === 'postgres' && { refreshSeconds: REFRESH_SECONDS, ttlSeconds: TTL_SECONDS };
    const router = (own, life) => routerYaml({ ...shared, ...own, out, cluster }, life);
    const gateway = (own, life) => gatewayYaml({ ...own, port: own.out, service }, life);
    const onEarlyEnd = (node) => this.#isOver || this.#later(() => node.start());
    const add = (kind, i, own, files) => {
      this.#nodes.push(new Node({ kind, name: `${kind}${i}`, folder, ports: own, files, onEarlyEnd }));
    };
    for (const [i, own] of here.entries()) {
      add(isServe ? 'serve' : 'router', i, own, (life) => ({
        [`router${i}.yaml`]: router(own, life),
        ...(isServe && { [`gateway${i}.yaml`]: gateway(own, life) }),
      }));
    }
    for (const [i, own] of there.entries())
      add('gateway', i, own, (life) => ({ [`gateway${i}.yaml`]: gateway(own, life) }));
    for (const node of this.#nodes) await node.start();
  }

  async #client(number) {
    const way = WAYS[number % WAYS.length];
    const nodes = way === 'rest' ? this.#routers : this.#gateways;
    while (!this.#isOver) {
      this.#sent += 1;
      const id = `m${this.#sent}`;
      const { rest, smtp, cut } = nodes[this.#sent % nodes.length].ports;
      const isPromised = await (way === 'rest' ? sendRest(rest, id) : sendSmtp(way === 'cut' ? cut : smtp, id));
      if (isPromised) this.#ledger.promised(id, way);
      else await sleep(20);
    }
  }

  /** Some promises after the last disturbance, and then at any moment. */
  async #disturb() {
    const enough = this.#ledger.promises + 1 + Math.floor(this.#random() * PROMISES_BETWEEN);
    const [what, who, delay] = [this.#random(), this.#random(), this.#random() * DELAY_MS];
    const deadline = performance.now() + DEADLINE_MS;
    while (this.#ledger.promises < enough && performance.now() < deadline) await sleep(2);
    await sleep(delay);
    if (what < 0.15 && this.#database.trouble !== undefined) return this.#troubleDatabase();
    const kind = what < 0.35 ? this.#gateways : this.#routers;
    const nodes = kind.filter(({ isAway }) => !isAway);
    const node = nodes[Math.floor(who * nodes.length)];
    if (node === undefined) return;
    const hasOthers = this.#routers.length > 1;
    if (what < 0.55 && node.kind === 'router' && hasOthers) return this.#stop(node);
    this.#disturbances.program += 1;
    await node.kill();
    if (what > 0.8 && hasOthers) this.#later(() => node.start());
    else await node.start();
  }

  async #troubleDatabase() {
    this.#disturbances.database += 1;
    await this.#database.trouble();
  }

  /** It goes on when the others have taken over, in the middle of whatever it was doing. */
  #stop(node) {
    this.#disturbances.stopped += 1;
    node.isAway = true;
    node.signal('SIGSTOP');
    this.#later(() => {
      node.signal('SIGCONT');
      node.isAway = false;
    });
  }

  #later(task) {
    this.#returns.push(sleep(ABSENCE_MS).then(task));
  }
}
