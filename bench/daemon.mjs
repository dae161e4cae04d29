/** The processes under test, each as users start it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const KOUKAN = fileURLToPath(new URL('../bin/koukan.js', import.meta.url));
const STOP_MS = 30_000;

/** `nodeOptions` go to node itself, for example `--cpu-prof`. */
export const startKoukan = (args, nodeOptions) =>
  new Daemon(`koukan ${args[0]}`, [process.execPath, ...nodeOptions, KOUKAN, ...args]);

export class Daemon {
  #process;
  #name;
  #ended = new AbortController();

  /** `env` is added to the environment; `isChatty`: what it prints is of no interest. */
  constructor(name, [command, ...args], { env = {}, isChatty = false } = {}) {
    this.#name = name;
    // In a process group of its own, so that Ctrl-C does not reach it: a second signal would cut its orderly stop short.
    const stdio = ['ignore', 'ignore', isChatty ? 'ignore' : 'inherit'];
    this.#process = spawn(command, args, { stdio, detached: true, env: { ...process.env, ...env } });
    this.#process.once('error', (error) => this.#ended.abort(error));
    this.#process.once('exit', (code, signal) => {
      this.#ended.abort(new Error(`${this.#name} ended by itself (${signal ?? code})`));
    });
  }

  get pid() {
    return this.#process.pid;
  }

  /** Aborts, with the reason, when the process ends. */
  get ended() {
    return this.#ended.signal;
  }

  /** As an administrator would do it, and for good when that takes too long. Rejects when the end was no orderly one, for which `isOrderly` may ask less. */
  async stop({ isOrderly = (code) => code === 0 } = {}) {
    if (this.#ended.signal.aborted) return;
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS);
    const [code, signal] = await exit;
    clearTimeout(timer);
    if (!isOrderly(code, signal)) throw new Error(`${this.#name} did not stop in order (${signal ?? code})`);
  }
}
