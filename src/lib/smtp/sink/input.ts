/** Cuts what a client sends into command lines and messages, whatever the segments look like. */
import { limits } from '../../core/limits.ts';
import type { Completed } from './message-reader.ts';

/** Takes bytes that are no commands until it has what it wants. */
export interface MessageReader {
  feed(chunk: Buffer): Completed | undefined;
}

export class SinkInput {
  readonly #onLine: (line: string) => void;
  #rest: Buffer = Buffer.alloc(0);
  #reader: { readonly reader: MessageReader; readonly done: (message: Buffer) => void } | undefined;
  #isStopped = false;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** What follows the current line belongs to this reader. */
  readWith(reader: MessageReader, done: (message: Buffer) => void): void {
    this.#reader = { reader, done };
  }

  /** Nothing more is looked at: the sink has gone silent, or what follows is not in clear any more. */
  stop(): void {
    this.#isStopped = true;
    this.#rest = Buffer.alloc(0);
  }

  /** Says `false` when a line is longer than any command may be. */
  read(chunk: Buffer): boolean {
    let rest: Buffer | undefined = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = Buffer.alloc(0);
    while (rest !== undefined && rest.length > 0 && !this.#isStopped) rest = this.#step(rest);
    return this.#rest.length <= limits.smtpCommandLineBytes;
  }

  /** Takes what is complete off the front; `undefined` when more has to come. */
  #step(bytes: Buffer): Buffer | undefined {
    if (this.#reader !== undefined) {
      const { reader, done } = this.#reader;
      const completed = reader.feed(bytes);
      if (completed === undefined) return undefined;
      this.#reader = undefined;
      done(completed.message);
      return completed.rest;
    }
    const end = bytes.indexOf(0x0a);
    if (end === -1) {
      this.#rest = bytes;
      return undefined;
    }
    this.#onLine(bytes.toString('utf8', 0, end > 0 && bytes[end - 1] === 0x0d ? end - 1 : end));
    return bytes.subarray(end + 1);
  }
}
