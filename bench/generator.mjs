/** The clients, as a process of their own: so many sessions at once, each message once, and when each was begun and accepted. */
import { answerParent } from './child.mjs';
import { now } from './clock.mjs';
import { MessageMix } from './message-mix.mjs';
import { runRestSession } from './rest-load.mjs';
import { runSmtpSession } from './smtp-load.mjs';

const sessionsOf = { smtp: runSmtpSession, rest: runRestSession };
/** Who says so wants the message again later. */
const isTemporary = {
  smtp: (code) => code >= 400 && code < 500,
  rest: (code) => code === 429 || code === 503,
};
const WATCH_MS = 250;

class Job {
  #count;
  #next = 0;
  #triesLeft;
  #again = [];
  #progressAt = now();
  #beganAt = now();
  #stepMs = 0;
  isOver = false;
  refusals = {};
  /** Refused for now, and tried again. */
  deferred = 0;

  /**
   * `tries`: how often a message is offered that is refused for now, before that counts as refused. `from`: the number of the first message, where
   * several generators share a run. `localAddress`: where the clients come from. `timesLastTry`: a message begins anew with each try. `pace`: not more
   * messages in a second than so many.
   */
  constructor({ target, runId, sizeBytes, sizes, rcpts, count, tries, from = 0, ...ask }) {
    const { perConnection, isPipelining, localAddress, timesLastTry = false, pace } = ask;
    Object.assign(this, target, { rcpts, perConnection, isPipelining, localAddress, timesLastTry });
    this.mix = new MessageMix(runId, { sizeBytes, sizes });
    this.#next = from;
    this.#count = count;
    if (pace !== undefined) this.#stepMs = 1000 / pace;
    this.#triesLeft = new Uint16Array(count).fill(tries - 1);
    this.startedAt = new Float64Array(count);
    this.acceptedAt = new Float64Array(count);
  }

  next() {
    if (this.isOver) return undefined;
    if (this.#again.length > 0) return this.#again.shift();
    if (this.#next >= this.#count) return undefined;
    this.#next += 1;
    return this.#next - 1;
  }

  /** How long to wait with this message, in ms: at a pace each has its time. */
  dueInMs(number) {
    return this.#stepMs === 0 ? 0 : this.#beganAt + number * this.#stepMs - now();
  }

  /** Nothing new is begun. */
  end() {
    this.isOver = true;
  }

  started(number) {
    if (this.timesLastTry || this.startedAt[number] === 0) this.startedAt[number] = now();
  }

  accepted(number) {
    this.#progressAt = now();
    this.acceptedAt[number] = this.#progressAt;
  }

  refused(number, stage, code) {
    this.#progressAt = now();
    if (isTemporary[this.protocol](code) && this.#triesLeft[number] > 0) {
      this.#triesLeft[number] -= 1;
      this.#again.push(number);
      this.deferred += 1;
      return;
    }
    const key = `${stage}:${code === 0 ? 'connection lost' : code}`;
    this.refusals[key] = (this.refusals[key] ?? 0) + 1;
  }

  /** Resolves when nothing was answered for so long. */
  stalled(patienceMs, signal) {
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        if (now() - this.#progressAt > patienceMs) resolve('stalled');
      }, WATCH_MS);
      signal.addEventListener('abort', () => clearInterval(timer));
    });
  }
}

answerParent({
  run: async (ask) => {
    const cpuAtStart = process.cpuUsage();
    const job = new Job(ask);
    const runSession = sessionsOf[ask.target.protocol];
    const done = new AbortController();
    const sessions = Array.from({ length: Math.min(ask.sessions, ask.count) }, (_, i) => runSession(job, i));
    const timer = ask.forMs === undefined ? undefined : setTimeout(() => job.end(), ask.forMs);
    const end = await Promise.race([Promise.all(sessions), job.stalled(ask.patienceMs, done.signal)]);
    clearTimeout(timer);
    done.abort();
    job.end();
    const { user, system } = process.cpuUsage(cpuAtStart);
    const { startedAt, acceptedAt, refusals, deferred } = job;
    return { startedAt, acceptedAt, refusals, deferred, hasStalled: end === 'stalled', cpuMs: (user + system) / 1000 };
  },
});
