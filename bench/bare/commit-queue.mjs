/** Messages on their way to the disk: one batch in flight in a worker thread while the next one collects; what is delivered is deleted along the way. */
import { Worker } from 'node:worker_threads';

export class CommitQueue {
  #worker;
  #ids = 0;
  #rows = [];
  #delivered = [];
  #waiting = [];
  /** Those who wait for the batch in flight. */
  #inFlight;

  constructor(file) {
    this.#worker = new Worker(new URL('./commit-worker.mjs', import.meta.url), { workerData: file });
    this.#worker.on('message', () => this.#committed());
  }

  /** Resolves with the row's id when it is on the disk. */
  commit({ from, to, content }) {
    this.#ids += 1;
    const id = this.#ids;
    this.#rows.push({ id, from, to: to.join(','), content });
    if (this.#inFlight === undefined && this.#rows.length === 1) setImmediate(() => this.#flush());
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(id));
    });
  }

  /** Promises nothing, so it waits for the next commit that does. */
  forget(id) {
    this.#delivered.push(id);
  }

  #flush() {
    if (this.#inFlight !== undefined || this.#rows.length === 0) return;
    this.#inFlight = this.#waiting;
    this.#worker.postMessage({ rows: this.#rows, delivered: this.#delivered });
    this.#rows = [];
    this.#delivered = [];
    this.#waiting = [];
  }

  #committed() {
    const waiting = this.#inFlight;
    this.#inFlight = undefined;
    for (const resolve of waiting) resolve();
    this.#flush();
  }
}
