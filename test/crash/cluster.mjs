/**
 * What is crashed: programs on one database. At points that a seed chooses, under load, a program is killed, at once followed by another life of it or
 * not for a while, or told to stop in order; or a router is stopped for so long that the others take over, and goes on then; or the database itself
 * is killed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { command, mayBeCancelled, REST_WAYS, sendRest, sendSmtp } from './clients.mjs';
import { RETRY_SECONDS } from './configurations.mjs';
import { openDatabase } from './database.mjs';
import { Ends } from './ends.mjs';
import { FarEnd } from './far-end.mjs';
import { generator } from './ground.mjs';
import { Ledger } from './ledger.mjs';
import { UNAVAILABLE } from './node.mjs';
import { programs } from './programs.mjs';
import { leftOver } from './queue.mjs';
import { takeoversIn } from './takeovers.mjs';
import { SILENCE_MS } from './verdict.mjs';

const DEADLINE_MS = 120_000;
const DELAY_MS = 50;
const REFRESH_SECONDS = 0.5;
const TTL_SECONDS = 2;
const TTL_MS = 1000 * TTL_SECONDS;
/** Longer than a session lives: the others have taken over. */
const ABSENCE_MS = 1000 * (TTL_SECONDS + 3 * REFRESH_SECONDS);
/** Whoever wants to send something again without reason has done so by then; where there are several, one may have to take it over first. */
const QUIET_MS = 1500 * RETRY_SECONDS;
/** How a client hands its messages in. */
const WAYS = ['stored', 'cut', 'rest'];
/** One message in so many of an application is cancelled at once, another one is to be tried at once. */
const COMMANDS_EVERY = 15;

export class Cluster {
  #options;
  #random;
  #far = new FarEnd();
  #ends = new Ends();
  #ledger = new Ledger(this.#far, this.#ends);
  #nodes = [];
  #balancers = [];
  #database;
  #returns = [];
  #sent = 0;
  #disturbances = { program: 0, orderly: 0, stopped: 0, database: 0 };
  /** Routers that others took for dead although nobody had disturbed them: they were slow, as the machine was. */
  #takenForDead = 0;
  #diedByItself = [];
  #badStops = [];
  #isOver = false;
  #stage = 'starting';

  constructor(options) {
    this.#options = options;
    this.#random = generator(options.seed);
  }

  async run(folder) {
    try {
      await this.#build(folder);
      this.#stage = 'loaded';
      const { kills, clients: count } = this.#options;
      const clients = Array.from({ length: count }, (_, i) => this.#client(i));
      // Where nobody is there to be disturbed that was no disturbance.
      for (let turn = 0; turn < 3 * kills && this.#kills < kills; turn += 1) {
        if (!(await this.#promises())) break;
        await this.#disturb();
      }
      await this.#promises();
      this.#isOver = true;
      await Promise.all([...clients, ...this.#returns]);
      const rest = this.#routers.map(({ ports }) => ports.rest);
      this.#stage = 'settling';
      await this.#ledger.settle(rest, DEADLINE_MS);
      this.#stage = 'quiet';
      await sleep(rest.length > 1 ? Math.max(QUIET_MS, ABSENCE_MS) : QUIET_MS);
      await this.#ledger.close(rest);
      for (const router of this.#routers) this.#takeovers(await router.log());
      return this.#account();
    } finally {
      this.#isOver = true;
      await Promise.all(this.#nodes.map((node) => node.kill()));
      await Promise.all([this.#far, ...this.#balancers].map((each) => each.close()));
      await this.#database?.close();
    }
  }

  /** How far it is, for whoever waits. */
  progress() {
    return { stage: this.#stage, kills: this.#kills, promised: this.#ledger.promises, ...this.#ledger.waitsFor() };
  }

  #account() {
    const { engine, shape, policy, seed } = this.#options;
    return {
      engine,
      shape,
      policy,
      seed,
      /** Those that were done. */
      kills: this.#kills,
      ...this.#ledger.account(),
      disturbances: this.#disturbances,
      takenForDead: this.#takenForDead,
      diedByItself: this.#diedByItself,
      badStops: this.#badStops,
      lives: this.#nodes.map(({ lives }) => lives),
    };
  }

  get #kills() {
    return Object.values(this.#disturbances).reduce((sum, count) => sum + count, 0);
  }

  get #lives() {
    return this.#nodes.map(({ life }) => life);
  }

  get #routers() {
    return this.#nodes.filter(({ kind }) => kind !== 'gateway');
  }

  get #gateways() {
    return this.#nodes.filter(({ kind }) => kind !== 'router');
  }

  async #build(folder) {
    const { engine, policy, gcSeconds } = this.#options;
    this.#database = await openDatabase(folder, this.#options);
    const cluster = engine === 'postgres' && { refreshSeconds: REFRESH_SECONDS, ttlSeconds: TTL_SECONDS };
    const shared = { url: this.#database.url, far: await this.#far.listen(), policy, cluster, gcSeconds };
    const onEarlyEnd = (node, end) => this.#endedByItself(node, end);
    const built = await programs(this.#options, { shared, folder, ends: this.#ends, onEarlyEnd });
    this.#nodes = built.nodes;
    this.#balancers = built.balancers;
    for (const node of this.#nodes) await node.start();
    // On a busy machine it takes long until they can promise anything.
    await Promise.all(this.#routers.map(({ ports }) => leftOver([ports.rest])));
    this.#ledger.begins();
  }

  /** A router cannot start while its database is away; all else is a failure, after which there is another life, so that the account can be closed. */
  #endedByItself(node, { life, code, signal, startedAt, at }) {
    const isExcused = code === UNAVAILABLE && this.#ends.hadTrouble(startedAt, at);
    if (!isExcused) this.#diedByItself.push({ life, code, signal });
    this.#later(() => node.start());
  }

  async #client(number) {
    const way = WAYS[number % WAYS.length];
    const nodes = way === 'rest' ? this.#routers : this.#gateways;
    while (!this.#isOver) {
      this.#sent += 1;
      const number = this.#sent;
      const { rest, smtp, cut } = nodes[number % nodes.length].ports;
      const isPromised =
        way === 'rest' ? await this.#apply(rest, number) : await this.#submit(way === 'cut' ? cut : smtp, number, way);
      if (!isPromised) await sleep(20);
    }
  }

  async #submit(port, number, way) {
    const rcpts = await sendSmtp(port, `m${number}`);
    if (rcpts.length > 0) this.#ledger.promised(rcpts, way, this.#lives);
    return rcpts.length > 0;
  }

  async #apply(port, number) {
    const way = REST_WAYS[Math.floor(this.#random() * REST_WAYS.length)];
    const { rcpts, uri } = await sendRest(port, `m${number}`, way);
    const [rcpt] = rcpts;
    if (rcpt === undefined) return false;
    this.#ledger.promised(rcpts, way, this.#lives);
    const turn = number % COMMANDS_EVERY;
    if (turn === 0) {
      if (mayBeCancelled(await command(uri, 'cancel'))) this.#ledger.cancelled(rcpt);
    }
    // Of what is uncertain it would order a second copy.
    if (turn === 1 && this.#options.policy === 'retry') await command(uri, 'retry');
    return true;
  }

  /** Resolves after some more promises; `false` when there are none any more. */
  async #promises() {
    const enough = this.#ledger.promises + 1 + Math.floor(this.#random() * this.#options.between);
    while (this.#ledger.promises < enough) {
      if (this.#ledger.listens() > SILENCE_MS) return false;
      await sleep(2);
    }
    return true;
  }

  /** At any moment from now on. */
  async #disturb() {
    const [what, who, how] = [this.#random(), this.#random(), this.#random()];
    await sleep(this.#random() * DELAY_MS);
    if (what < 0.15 && this.#database.trouble !== undefined) return this.#troubleDatabase();
    const kind = what < 0.35 ? this.#gateways : this.#routers;
    const nodes = kind.filter(({ isAway }) => !isAway);
    const node = nodes[Math.floor(who * nodes.length)];
    if (node === undefined) return;
    const hasOthers = this.#routers.length > 1;
    if (what < 0.55 && node.kind === 'router' && hasOthers) return this.#stop(node);
    if (how < 0.15) await this.#endInOrder(node);
    else await this.#kill(node);
    if (what > 0.8 && hasOthers) this.#later(() => node.start());
    else await node.start();
  }

  async #kill(node) {
    this.#disturbances.program += 1;
    await node.kill();
  }

  async #endInOrder(node) {
    this.#disturbances.orderly += 1;
    const wrong = await node.stop();
    if (wrong !== undefined) this.#badStops.push(wrong);
  }

  async #troubleDatabase() {
    this.#disturbances.database += 1;
    const isOver = this.#ends.trouble(performance.now());
    await this.#database.trouble();
    isOver(performance.now());
  }

  /** It goes on when the others have taken over, in the middle of whatever it was doing. */
  #stop(node) {
    this.#disturbances.stopped += 1;
    node.isAway = true;
    const from = performance.now();
    node.signal('SIGSTOP');
    this.#later(() => {
      node.signal('SIGCONT');
      this.#ends.absent(node.life, from, performance.now());
      node.isAway = false;
    });
  }

  /** Whoever was taken over could not record what it had just sent, whatever it did then. */
  #takeovers(log) {
    for (const { uri, at: wallMs } of takeoversIn(log)) {
      const at = wallMs - performance.timeOrigin;
      const life = this.#routers.find(({ ports }) => uri.endsWith(`:${ports.rest}`))?.lifeTakenOver(at, TTL_MS) ?? '';
      if (!this.#ends.isAway(life, at)) this.#takenForDead += 1;
      this.#ends.absent(life, at - TTL_MS, at);
    }
  }

  #later(task) {
    this.#returns.push(sleep(ABSENCE_MS).then(task));
  }
}
