/**
 * The receiving side of a session: feeds lines to whoever speaks the protocol, and message bytes to whoever it names. The next line is not looked at
 * before the last one was dealt with, so a client that sends faster than we answer is held back by TCP.
 */
import type { Socket } from 'node:net';
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';
import { limits } from '../../core/limits.ts';
import { readDirectly } from './direct-read.ts';
import type { Decoded } from './dot-decoder.ts';
import { type CommandLine, LineSplitter } from './line-splitter.ts';

/** Where bytes go that are not commands, until a decoder finds their end. */
export interface Payload {
  /** May write to the chunk; `content` and `rest` are parts of it. */
  decode(chunk: Buffer): Decoded;
  /** What is kept of the bytes is copied before it returns. A promise only where there is something to wait for: it must not reject. */
  take(content: Buffer): Promise<void> | undefined;
  /** The end was found: calls back when the next command may be read, at once or later. */
  end(done: () => void): void;
}

/**
 * Deals with a line, whose bytes are gone when it returns; the bytes after it are the payload's when it answers with one. A promise only where there is something to wait for: it must not
 * reject.
 */
export type LineHandler = (line: CommandLine) => Promise<Payload | undefined> | Payload | undefined;

export interface InputOptions {
  readonly onLine: LineHandler;
  readonly now: () => number;
  /** A line, or a message, is taking too long although bytes keep trickling in. */
  readonly onLate: () => void;
  readonly lineMs: () => number;
  /** There is nothing to be dealt with now: all was, or what comes next has to wait. */
  readonly onPause: () => void;
  readonly onBug: (error: unknown) => void;
}

/** Lines handled before other sessions get their turn. */
const LINES_PER_TURN = 100;
/** So much may have come in behind what is waited for; beyond it, the client's bytes stay in its own machine. */
const WAITING_MAX_BYTES = 16_384;

/** A stream of the library only by name: the bytes are taken from the socket where they come in, without a buffer and a turn in between. */
export class InputStream extends SMTPStream {
  readonly #options: InputOptions;
  readonly #splitter = new LineSplitter();
  #socket: Socket | undefined;
  #stopReading: (() => void) | undefined;
  /** What was received and not looked at yet: the rest of a chunk, and chunks that came in meanwhile. */
  #rest: Buffer | undefined;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #payload: Payload | undefined;
  #linesThisTurn = 0;
  #isWorking = false;
  #isRunning = false;
  /** Whoever was given a line or bytes calls back when it goes on. */
  #isHeld = false;
  #isPaused = false;
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

  /** `onPause` is about to be called: who has something to write may leave it to that. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Nothing came in that was not looked at. */
  get isEmpty(): boolean {
    return this.#rest === undefined && this.#waiting.length === 0;
  }

  /** Takes all bytes of a socket from now on. */
  listen(socket: Socket): void {
    this.#socket = socket;
    this.#stopReading = readDirectly(socket, this.#receive);
  }

  /** Leaves what comes in from now on to somebody else. */
  stopListening(): void {
    this.#stopReading?.();
  }

  readonly #receive = (chunk: Buffer, isLent: boolean): void => {
    // A closed stream was retired by STARTTLS or the end of the session: nothing that is still buffered may run (RFC 3207 §5).
    if (this.isClosed) return;
    // What cannot be looked at now needs memory of its own.
    this.#waiting.push(isLent && this.#isHeld ? Buffer.from(chunk) : chunk);
    this.#waitingBytes += chunk.length;
    this.#linesThisTurn = 0;
    if (!this.#isHeld) {
      this.#run();
      if (isLent && this.#rest !== undefined) this.#rest = Buffer.from(this.#rest);
    }
    if (this.#waitingBytes < WAITING_MAX_BYTES || this.isClosed) return;
    this.#isPaused = true;
    this.#socket?.pause();
  };

  /** Goes on without a pause as long as there is nothing to wait for, which is what most lines are like. */
  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let bytes = this.#next(); bytes !== undefined; bytes = this.#next()) {
        if (this.#payload === undefined) this.#command(bytes);
        else this.#content(this.#payload, bytes);
      }
    } catch (error) {
      this.#options.onBug(error);
    }
    this.#isRunning = false;
    this.#options.onPause();
  }

  /** What is to be looked at next, if that is not to wait. */
  #next(): Buffer | undefined {
    if (this.#isHeld || this.isClosed) return undefined;
    const rest = this.#rest;
    if (rest !== undefined) return rest;
    const chunk = this.#waiting.shift();
    if (chunk === undefined) return undefined;
    this.#waitingBytes -= chunk.length;
    if (this.#isPaused && this.#waitingBytes < WAITING_MAX_BYTES) {
      this.#isPaused = false;
      this.#socket?.resume();
    }
    this.#checkTime();
    return this.isClosed ? undefined : chunk;
  }

  #checkTime(): void {
    const { now, onLate, lineMs } = this.#options;
    const time = now();
    this.#doneAt ??= time;
    const allowedMs = this.#payload === undefined ? lineMs() : limits.smtpMessageMs;
    if (time - this.#doneAt > allowedMs) onLate();
  }

  #command(bytes: Buffer): void {
    if (this.#linesThisTurn === LINES_PER_TURN) {
      this.#linesThisTurn = 0;
      this.#rest = bytes;
      this.#isHeld = true;
      setImmediate(this.#goOn);
      return;
    }
    const { line, rest } = this.#splitter.take(bytes);
    this.#rest = rest;
    if (line === undefined) return;
    this.#linesThisTurn += 1;
    this.#isWorking = true;
    const answer = this.#options.onLine(line);
    if (answer instanceof Promise) {
      this.#isHeld = true;
      answer.then(this.#handled, this.#options.onBug);
    } else {
      this.#payload = answer;
      this.#finished();
    }
  }

  readonly #handled = (payload: Payload | undefined): void => {
    this.#payload = payload;
    this.#finished();
    this.#goOn();
  };

  #content(payload: Payload, bytes: Buffer): void {
    const { content, rest } = payload.decode(bytes);
    this.#rest = rest === undefined || rest.length === 0 ? undefined : rest;
    const taken = payload.take(content);
    if (taken === undefined) {
      if (rest !== undefined) this.#end(payload);
      return;
    }
    this.#isHeld = true;
    const goOn = rest === undefined ? this.#goOn : () => this.#end(payload);
    taken.then(goOn).catch(this.#options.onBug);
  }

  #end(payload: Payload): void {
    this.#payload = undefined;
    this.#isWorking = true;
    this.#isHeld = true;
    payload.end(this.#ended);
  }

  readonly #ended = (): void => {
    this.#finished();
    this.#goOn();
  };

  readonly #goOn = (): void => {
    this.#isHeld = false;
    this.#run();
  };

  #finished(): void {
    this.#isWorking = false;
    this.#doneAt = this.#options.now();
  }
}
