/**
 * The far end, as a process of its own: it checks every message against the run and keeps none. Its parent asks it over IPC to `listen`, to `start` a run,
 * for the `count` so far, and for the `report`.
 */
import { createServer } from 'node:net';
import { answerParent } from './child.mjs';
import { now } from './clock.mjs';
import { SinkSession } from './sink-session.mjs';
import { Tally } from './tally.mjs';

const BACKLOG = 4096;
const OK = '250 2.0.0 Ok: taken\r\n';
const TRY_AGAIN = '451 4.3.0 Try again\r\n';

/** The far end of all sessions. Until a run starts nothing counts. */
class FarEnd {
  #tally;
  #refusal;
  #delayMs = 0;
  #connections = 0;
  #cpuAtStart = process.cpuUsage();

  get runId() {
    return this.#tally?.runId;
  }

  start({ delayMs, refusedShare, ...run }) {
    this.#tally = new Tally(run);
    this.#refusal = new FirstTries(refusedShare);
    this.#delayMs = delayMs;
    this.#connections = 0;
    this.#cpuAtStart = process.cpuUsage();
  }

  onConnection(socket) {
    this.#connections += 1;
    new SinkSession(socket, this);
  }

  onMessage(rcptNumbers, { number, crc }) {
    const at = now();
    if (this.#tally !== undefined) {
      if (this.#refusal.isRefused(number)) return { reply: TRY_AGAIN, delayMs: this.#delayMs };
      for (const rcptNumber of rcptNumbers) this.#tally.deliver({ rcptNumber, contentNumber: number, crc, at });
    }
    return { reply: OK, delayMs: this.#delayMs };
  }

  count() {
    return this.#tally.unique;
  }

  report() {
    const { user, system } = process.cpuUsage(this.#cpuAtStart);
    const rest = { refusedFirst: this.#refusal.count, connections: this.#connections };
    return { ...this.#tally.report(), ...rest, cpuMs: (user + system) / 1000 };
  }
}

/** A share of the messages is refused the first time it comes, the same ones in every run. */
class FirstTries {
  #share;
  #seen = new Set();

  constructor(share) {
    this.#share = share;
  }

  get count() {
    return this.#seen.size;
  }

  isRefused(number) {
    if (this.#share === 0 || number === -1 || this.#seen.has(number)) return false;
    // Neighbours fall far apart.
    if ((number * 7919) % 10_000 >= this.#share * 10_000) return false;
    this.#seen.add(number);
    return true;
  }
}

const far = new FarEnd();

/** Resolves with the port. */
function listen({ port }) {
  const server = createServer({ noDelay: true }, (socket) => far.onConnection(socket));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1', backlog: BACKLOG }, () => resolve(server.address().port));
  });
}

answerParent({
  listen,
  start: (run) => far.start(run),
  count: () => far.count(),
  report: () => far.report(),
});
