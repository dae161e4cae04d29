/** A program that is killed and started again, under another name each time, so that the far end can tell whose copy it has. */
import { closeSync, openSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { end, koukan } from './ground.mjs';
import { lastWordsIn, lifeTakenOver } from './takeovers.mjs';

/** The exit code of a router that cannot reach its database at start. */
export const UNAVAILABLE = 69;
/** Longer than a daemon takes to finish what is in flight. */
const STOP_MS = 60_000;

export class Node {
  kind;
  name;
  ports;
  lives = 0;
  life = '';
  isAway = false;
  #folder;
  #files;
  #child;
  /** Each life and when it began. */
  #begun = [];
  /** Somebody wants it to end. */
  #isDoomed = false;
  #ends;
  #onEarlyEnd;

  /**
   * `files(life)` answers the configuration files it is started with, by name; `ends` hears when a life is over; `onEarlyEnd(node, end)` hears that
   * it ended though nobody wanted it to.
   */
  constructor({ kind, name, folder, ports, files, ends, onEarlyEnd }) {
    this.kind = kind;
    this.name = name;
    this.ports = ports;
    this.#folder = folder;
    this.#files = files;
    this.#ends = ends;
    this.#onEarlyEnd = onEarlyEnd;
  }

  async start() {
    this.lives += 1;
    const life = `${this.name}-${this.lives}.example`;
    this.life = life;
    const files = Object.entries(this.#files(life));
    for (const [file, yaml] of files) await writeFile(path.join(this.#folder, file), yaml);
    const log = openSync(this.#logFile, 'a');
    const child = koukan(this.#folder, [this.kind, ...files.map(([file]) => file)], log);
    closeSync(log);
    this.#child = child;
    const startedAt = performance.now();
    this.#begun.push({ life, at: startedAt });
    this.#isDoomed = false;
    this.isAway = false;
    child.once('exit', (code, signal) => {
      const at = performance.now();
      this.#ends.ended(life, at);
      if (this.#isDoomed) return;
      // Nobody disturbs it until there is another life of it.
      this.isAway = true;
      void this.log().then((log) => process.stderr.write(lastWordsIn(log)));
      this.#onEarlyEnd(this, { life, code, signal, startedAt, at });
    });
  }

  async kill() {
    this.isAway = true;
    this.#isDoomed = true;
    // From here on whatever it does is chance.
    this.#ends.ended(this.life, performance.now());
    await end(this.#child, 'SIGKILL');
  }

  /** An orderly end; answers what was wrong with it. It excuses nothing, except where it was none. */
  async stop() {
    this.isAway = true;
    this.#isDoomed = true;
    const child = this.#child;
    const tooLong = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await end(child, 'SIGTERM');
    clearTimeout(tooLong);
    const { exitCode: code, signalCode: signal } = child;
    // By the signal itself: it came before the program listened to signals, and so before it had begun anything.
    const isInOrder = code === 0 || signal === 'SIGTERM';
    return isInOrder ? undefined : { life: this.life, code, signal };
  }

  signal(name) {
    this.#child.kill(name);
  }

  /** What all its lives have logged. */
  log() {
    return readFile(this.#logFile, 'utf8');
  }

  /** Which of its lives was taken over then. */
  lifeTakenOver(at, ttlMs) {
    return lifeTakenOver(this.#begun, at, ttlMs);
  }

  get #logFile() {
    return path.join(this.#folder, `${this.name}.log`);
  }
}
