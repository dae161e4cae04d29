/** Requests and answers between the benchmark and its own processes (sink, generator, database), over Node's IPC. They end when their parent does. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** In the child: one function for each request; what it throws is an answer too. `onEnd` is waited for when the parent is gone. */
export function answerParent(handlers, onEnd = () => undefined) {
  process.on('message', async ({ id, name, argument }) => {
    try {
      process.send({ id, value: await handlers[name](argument) });
    } catch (error) {
      process.send({ id, error: String(error?.stack ?? error) });
    }
  });
  process.on('disconnect', async () => {
    try {
      await onEnd();
    } finally {
      process.exit();
    }
  });
}

export class Child {
  #process;
  #asked = new Map();
  #sequence = 0;

  /** `file` is one of this directory. It is in a process group of its own: Ctrl-C reaches the benchmark only, which stops things in order. */
  constructor(file) {
    const options = { serialization: 'advanced', detached: true };
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)), options);
    this.#process.on('message', ({ id, value, error }) => {
      const { resolve, reject } = this.#asked.get(id);
      this.#asked.delete(id);
      if (error === undefined) resolve(value);
      else reject(new Error(`${file}: ${error}`));
    });
    this.#process.on('exit', (code, signal) => {
      for (const { reject } of this.#asked.values()) reject(new Error(`${file} ended (${signal ?? code})`));
      this.#asked.clear();
    });
  }

  ask(name, argument) {
    this.#sequence += 1;
    const id = this.#sequence;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#process.send({ id, name, argument }, (error) => {
        if (error) reject(error);
      });
    });
  }

  /** Lets it end by itself. */
  async stop() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, 'exit');
    this.#process.disconnect();
    await exit;
  }
}
