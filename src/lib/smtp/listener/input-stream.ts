/**
 * The receiving side of a session: feeds lines to whoever speaks the protocol, and message bytes to whoever it names. The next line is not looked at
 * before the last one was dealt with, so a client that sends faster than we answer is held back by TCP.
 */
import { setImmediate } from 'node:timers/promises';
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';
import { limits } from '../../core/limits.ts';
import type { Decoded } from './dot-decoder.ts';
import { type CommandLine, LineSplitter } from './line-splitter.ts';

/** Where bytes go that are not commands, until a decoder finds their end. */
export interface Payload {
  decode(chunk: Buffer): Decoded;
  take(content: Buffer): Promise<void>;
  /** The end was found: resolves when the next command may be read. */
  end(): Promise<void>;
}

/** Deals with a line; the bytes after it are the payload's when it answers with one. Must not reject. */
export type LineHandler = (line: CommandLine) => Promise<Payload | undefined>;

export interface InputOptions {
  readonly onLine: LineHandler;
  readonly now: () => number;
  /** A line, or a message, is taking too long although bytes keep trickling in. */
  readonly onLate: () => void;
  readonly lineMs: () => number;
}

/** Lines handled before other sessions get their turn. */
const LINES_PER_TURN = 100;

export class InputStream extends SMTPStream {
  readonly #options: InputOptions;
  readonly #splitter = new LineSplitter();
  #payload: Payload | undefined;
  #linesThisTurn = 0;
  #isWorking = false;
  /** When the client was last seen to finish something. */
  #doneAt: number | undefined;

  constructor(options: InputOptions) {
    super();
    this.#options = options;
  }

  /** A line or the end of a message is being dealt with: whoever is late now, it is not the client. */
  get isWorking(): boolean {
    return this.#isWorking;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, next: (error?: Error | null) => void): void {
    const { now, onLate, lineMs } = this.#options;
    this.#doneAt ??= now();
    const allowedMs = this.#payload === undefined ? lineMs() : limits.smtpMessageMs;
    if (now() - this.#doneAt > allowedMs) onLate();
    this.#consume(chunk).then(() => next(), next);
  }

  async #consume(chunk: Buffer): Promise<void> {
    let rest: Buffer | undefined = chunk;
    this.#linesThisTurn = 0;
    // A closed stream was retired by STARTTLS or the end of the session: nothing that is still buffered may run (RFC 3207 §5).
    while (rest !== undefined && rest.length > 0 && !this.isClosed) {
      rest = this.#payload === undefined ? await this.#command(rest) : await this.#content(this.#payload, rest);
    }
  }

  async #command(bytes: Buffer): Promise<Buffer | undefined> {
    const { line, rest } = this.#splitter.take(bytes);
    if (line === undefined) return rest;
    this.#linesThisTurn += 1;
    if (this.#linesThisTurn % LINES_PER_TURN === 0) await setImmediate();
    this.#isWorking = true;
    this.#payload = await this.#options.onLine(line);
    this.#finished();
    return rest;
  }

  async #content(payload: Payload, bytes: Buffer): Promise<Buffer | undefined> {
    const { content, rest } = payload.decode(bytes);
    await payload.take(content);
    if (rest === undefined) return undefined;
    this.#payload = undefined;
    this.#isWorking = true;
    await payload.end();
    this.#finished();
    return rest;
  }

  #finished(): void {
    this.#isWorking = false;
    this.#doneAt = this.#options.now();
  }
}
