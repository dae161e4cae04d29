/** The processes under test: `koukan` as users start it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const KOUKAN = fileURLToPath(new URL('../bin/koukan.js', import.meta.url));
const STOP_MS = 30_000;

export class Daemon {
  #process;
  #name;
  #ended = new AbortController();

  /** `nodeOptions` go to node itself, for example `--cpu-prof`. */
  constructor(args, nodeOptions) {
    this.#name = `koukan ${args[0]}`;
    // In a process group of its own, so that Ctrl-C does not reach it: a second signal would cut its orderly stop short.
    const options = { stdio: ['ignore', 'ignore', 'inherit'], detached: true };
    this.#process = spawn(process.execPath, [...nodeOptions, KOUKAN, ...args], options);
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

  /** As an administrator would do it, and for good when that takes too long. Rejects when the end was no orderly one. */
  async stop() {
    if (this.#ended.signal.aborted) return;
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS);
    const [code, signal] = await exit;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`${this.#name} did not stop in order (${signal ?? code})`);
  }
}
