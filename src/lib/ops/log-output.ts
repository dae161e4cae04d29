/**
 * Standard output or standard error as the end of a log, written synchronously. A disk that is full, a collector that has died or that does not read
 * must not end, or hold, a process that delivers mail: what cannot be written is kept up to a limit and tried again; lines beyond that are counted,
 * and told. (The library's own destination gives up, or waits for ever.)
 */
import { writeSync } from 'node:fs';
import { limits } from '../core/limits.ts';

/** Until the next try, when no line comes before. */
const RETRY_MS = 1000;

export class LogOutput {
  static #linesLost = 0;
  readonly #fd: 1 | 2;
  readonly #tellLost: (lines: number) => void;
  /** What could not be written, oldest first. */
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #lost = 0;
  #isRetryDue = false;

  /** `tellLost` is called, with how many there were, when lines have been lost and others can be written again. */
  constructor(fd: 1 | 2, tellLost: (lines: number) => void) {
    this.#fd = fd;
    this.#tellLost = tellLost;
    process.once('exit', () => this.#writeKept());
  }

  /** So many lines of this process were never written, of all its logs: it has one output and one error output. */
  static get linesLost(): number {
    return LogOutput.#linesLost;
  }

  /** Takes one whole line. */
  write(line: string): void {
    // What waits goes first: it may be able to now, and then there is room.
    if (this.#kept.length > 0) this.#writeKept();
    const bytes = Buffer.from(line);
    // Not only until the limit: what is longer than the room that is left would let shorter ones pass it, and nobody could tell what is missing.
    if (this.#lost > 0 || this.#keptBytes + bytes.length > limits.logWaitingBytes) this.#lose();
    else this.#keep(bytes);
    if (this.#kept.length <= 1) this.#writeKept();
  }

  #lose(): void {
    this.#lost += 1;
    LogOutput.#linesLost += 1;
  }

  #keep(bytes: Buffer): void {
    this.#kept.push(bytes);
    this.#keptBytes += bytes.length;
  }

  #writeKept(): void {
    for (let first = this.#kept[0]; first !== undefined; first = this.#kept[0]) {
      const written = this.#tryWrite(first);
      if (written === undefined) return;
      this.#keptBytes -= written;
      if (written === first.length) this.#kept.shift();
      else this.#kept[0] = first.subarray(written);
    }
    if (this.#lost === 0) return;
    const lines = this.#lost;
    this.#lost = 0;
    this.#tellLost(lines);
  }

  /** How many bytes were written; absent when none could be, for whatever reason: there is nowhere to say it. */
  #tryWrite(bytes: Buffer): number | undefined {
    try {
      return writeSync(this.#fd, bytes);
    } catch {
      this.#retryLater();
      return undefined;
    }
  }

  #retryLater(): void {
    if (this.#isRetryDue) return;
    this.#isRetryDue = true;
    setTimeout(() => {
      this.#isRetryDue = false;
      this.#writeKept();
    }, RETRY_MS).unref();
  }
}
