/**
 * The receiving side of a session: feeds lines to whoever speaks the protocol, and message bytes to whoever it names. The next line is not looked at
 * before the last one was dealt with, so a client that sends faster than we answer is held back by TCP.
 */
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';
import { limits } from '../../core/limits.ts';
import type { Decoded } from './dot-decoder.ts';
import { type CommandLine, LineSplitter } from './line-splitter.ts';

/** Where bytes go that are not commands, until a decoder finds their end. */
export interface Payload {
  decode(chunk: Buffer): Decoded;
  take(content: Buffer): Promise<void> | undefined;
  /** The end was found: resolves when the next command may be read. */
  end(): Promise<void>;
}

/**
 * Deals with a line; the bytes after it are the payload's when it answers with one. A promise only where there is something to wait for: it must not
 * reject.
 */
export type LineHandler = (line: CommandLine) => Promise<Payload | undefined> | Payload | undefined;

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
  /** What was received and not looked at yet. */
  #rest: Buffer | undefined;
  #payload: Payload | undefined;
  #linesThisTurn = 0;
  #isWorking = false;
  /** When the client was last seen to finish something. */
  #doneAt: number | undefined;
  /** Hears that the chunk was dealt with. */
  #next: (error?: Error | null) => void = () => undefined;

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
    this.#rest = chunk;
    this.#linesThisTurn = 0;
    this.#next = next;
    this.#consume();
  }

  /** Goes on without a pause as long as there is nothing to wait for, which is what most lines are like. */
  #consume(): void {
    try {
      // A closed stream was retired by STARTTLS or the end of the session: nothing that is still buffered may run (RFC 3207 §5).
      while (this.#rest !== undefined && this.#rest.length > 0 && !this.isClosed) {
        const waiting =
          this.#payload === undefined ? this.#command(this.#rest) : this.#content(this.#payload, this.#rest);
        if (waiting !== undefined) {
          waiting.then(this.#goOn, this.#next);
          return;
        }
      }
    } catch (error) {
      this.#next(error as Error);
      return;
    }
    this.#rest = undefined;
    this.#next();
  }

  readonly #goOn = (): void => this.#consume();

  #command(bytes: Buffer): Promise<void> | undefined {
    const { line, rest } = this.#splitter.take(bytes);
    this.#rest = rest;
    if (line === undefined) return undefined;
    this.#linesThisTurn += 1;
    if (this.#linesThisTurn % LINES_PER_TURN === 0) return nextTurn().then(() => this.#handle(line));
    return this.#handle(line);
  }

  #handle(line: CommandLine): Promise<void> | undefined {
    this.#isWorking = true;
    const answer = this.#options.onLine(line);
    if (answer instanceof Promise) return answer.then(this.#handled);
    this.#handled(answer);
    return undefined;
  }

  readonly #handled = (payload: Payload | undefined): void => {
    this.#payload = payload;
    this.#finished();
  };

  #content(payload: Payload, bytes: Buffer): Promise<void> | undefined {
    const { content, rest } = payload.decode(bytes);
    this.#rest = rest;
    const taken = payload.take(content);
    if (rest === undefined) return taken;
    return taken === undefined ? this.#end(payload) : taken.then(() => this.#end(payload));
  }

  #end(payload: Payload): Promise<void> {
    this.#payload = undefined;
    this.#isWorking = true;
    return payload.end().then(this.#finished);
  }

  readonly #finished = (): void => {
    this.#isWorking = false;
    this.#doneAt = this.#options.now();
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
