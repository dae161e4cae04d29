/**
 * One side of an SMTP dialogue: commands go out, replies come back in order, and every command gets an answer whatever happens. When the
 * connection breaks, a reply makes no sense or does not come, each open command is answered with a 4xx that names its step.
 *
 *   ask() ─▶ unsent ─▶ (pipelining, or nothing pending) ─▶ pending ─▶ reply ─▶ settled
 *                                                             └─ lost, timeout, malformed, 421 ─▶ settled with 4xx, socket destroyed
 */
import type { Socket } from 'node:net';
import type { Clock } from '../../core/deps.ts';
import { type Response, reply } from '../../core/response.ts';
import { ReplyParser } from './reply-parser.ts';

/** Hears each line that is sent (`>`) or received (`<`), and remarks (`=`). */
export type Trace = (direction: '>' | '<' | '=', text: string) => void;

export interface DialogueOptions {
  readonly clock: Clock;
  /** Bound on the wait for each single reply, and on each pause while data is being written. */
  readonly timeoutMs: number;
  readonly trace?: Trace | undefined;
}

/** Completes the sentence `connection lost …`: `at RCPT`; a function when that changes while the reply is awaited. */
export type Step = string | (() => string);

interface Pending {
  readonly step: Step;
  readonly settle: (response: Response) => void;
}

interface Unsent extends Pending {
  readonly line: string;
}

/** Makes the answer for an open command when the dialogue has failed. */
type Failure = (step: string) => Response;

export class Dialogue {
  /** The server takes commands before it has answered earlier ones (RFC 2920). */
  pipelining = false;
  readonly #options: DialogueOptions;
  readonly #closed = new AbortController();
  #socket: Socket;
  #parser = new ReplyParser();
  #pending: Pending[] = [];
  #unsent: Unsent[] = [];
  #failure: Failure | undefined;
  #flushScheduled = false;
  #isWatched = false;
  #deadline = 0;
  #lastError = '';
  #wakeWriter: (() => void) | undefined;
  #stopListening: () => void = () => undefined;

  constructor(socket: Socket, options: DialogueOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#listen(socket);
  }

  /** Aborts when the dialogue is over, for whatever reason. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** Some command has no answer yet. */
  get isWaiting(): boolean {
    return this.#pending.length > 0 || this.#unsent.length > 0;
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** Sends a command; all that is asked before the event loop turns leaves in one write when pipelining is allowed. Never rejects. */
  ask(line: string, step: Step): Promise<Response> {
    return new Promise((settle) => {
      if (this.#failure !== undefined) {
        settle(this.#failure(nameOf(step)));
        return;
      }
      this.#unsent.push({ line, step, settle });
      this.#scheduleFlush();
    });
  }

  /** Waits for a reply to something that is not a command: the connection itself, or a message. Never rejects. */
  expect(step: Step): Promise<Response> {
    return new Promise((settle) => {
      if (this.#failure !== undefined) settle(this.#failure(nameOf(step)));
      else this.#await({ step, settle });
    });
  }

  /** Writes message bytes; resolves once there is room for more, with `false` when the dialogue is over. */
  async send(chunks: readonly Buffer[]): Promise<boolean> {
    if (this.#failure !== undefined) return false;
    let hasRoom = true;
    const isMany = chunks.length > 1;
    if (isMany) this.#socket.cork();
    for (const chunk of chunks) hasRoom = this.#socket.write(chunk);
    if (isMany) this.#socket.uncork();
    this.#postpone();
    if (!hasRoom && this.#socket.writableNeedDrain) {
      await new Promise<void>((resolve) => {
        this.#wakeWriter = resolve;
      });
    }
    return this.isOpen;
  }

  /** Goes on over another socket that wraps this one (TLS). Says `false` when the server has already sent more than it may. */
  upgrade(wrap: (plain: Socket) => Socket): boolean {
    // RFC 3207 §4.2: what came in clear behind the reply may have been put there by someone else.
    if (!this.#parser.isEmpty || this.isWaiting) return false;
    this.#stopListening();
    this.#parser = new ReplyParser();
    this.#socket = wrap(this.#socket);
    this.#listen(this.#socket);
    return true;
  }

  /** Ends the dialogue; open commands are answered with `why`, by default that the connection was lost. */
  destroy(why: Failure = this.#lost): void {
    if (this.#failure !== undefined) return;
    this.#failure = why;
    this.#socket.destroy();
    this.#closed.abort();
    this.#wakeWriter?.();
    const open = [...this.#pending.splice(0), ...this.#unsent.splice(0)];
    for (const { step, settle } of open) settle(why(nameOf(step)));
  }

  readonly #lost: Failure = (step) =>
    reply(450, '4.4.2', `connection lost ${step}${this.#lastError === '' ? '' : ` (${this.#lastError})`}`);

  #listen(socket: Socket): void {
    const onData = (chunk: Buffer): void => this.#read(chunk);
    const onDrain = (): void => {
      this.#postpone();
      this.#wakeWriter?.();
    };
    const onEnd = (): void => this.destroy();
    socket.on('data', onData).on('drain', onDrain).on('end', onEnd).on('close', onEnd);
    // This one stays after an upgrade: an error that nobody hears would end the process.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#lastError = error.code ?? 'socket error';
    });
    this.#stopListening = () => {
      socket.off('data', onData).off('drain', onDrain).off('end', onEnd).off('close', onEnd);
    };
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    // After every promise that can go on now has gone on: what the same turn asks for goes out in the same segment.
    queueMicrotask(this.#onTurn);
  }

  readonly #onTurn = (): void => process.nextTick(this.#onTick);
  readonly #onTick = (): void => this.#flush();

  #flush(): void {
    this.#flushScheduled = false;
    let text = '';
    while (this.#unsent.length > 0 && (this.pipelining || this.#pending.length === 0)) {
      const next = this.#unsent.shift() as Unsent;
      this.#options.trace?.('>', next.line.startsWith('AUTH ') ? 'AUTH (hidden)' : next.line);
      // Always UTF-8: one byte per character would turn some letters into line ends.
      text += `${next.line}\r\n`;
      this.#await(next);
    }
    if (text !== '') this.#socket.write(text, 'utf8');
  }

  #await(pending: Pending): void {
    if (this.#pending.push(pending) === 1) this.#postpone();
    if (this.#isWatched) return;
    this.#isWatched = true;
    void this.#watch();
  }

  #postpone(): void {
    this.#deadline = this.#options.clock.monotonicMs() + this.#options.timeoutMs;
  }

  /** One sleeper for the whole dialogue: it looks at the deadline when it wakes and sleeps on while there is reason to. */
  async #watch(): Promise<void> {
    const { clock, timeoutMs } = this.#options;
    while (this.#pending.length > 0) {
      const leftMs = this.#deadline - clock.monotonicMs();
      if (leftMs <= 0) {
        this.destroy((step) => reply(450, '4.4.2', `no reply within ${timeoutMs / 1000} s ${step}`));
        break;
      }
      await clock.sleep(leftMs, this.closed);
    }
    this.#isWatched = false;
  }

  #read(chunk: Buffer): void {
    const { replies, malformed } = this.#parser.feed(chunk);
    for (const response of replies) {
      this.#take(response);
      if (!this.isOpen) return;
    }
    if (malformed !== undefined) this.#giveUp(malformed);
    else if (replies.length > 0 && this.#unsent.length > 0) this.#scheduleFlush();
  }

  #take(response: Response): void {
    this.#traceReply(response);
    const pending = this.#pending.shift();
    if (pending !== undefined) {
      this.#postpone();
      pending.settle(response);
    }
    // RFC 5321 §3.8: the server is closing; what is still open gets no other answer.
    if (response.code === 421) this.destroy(() => response);
    else if (pending === undefined) this.#giveUp('a reply to no command');
  }

  #giveUp(what: string): void {
    this.#options.trace?.('=', `closing the connection: ${what}`);
    this.destroy((step) => reply(450, '4.5.0', `protocol error ${step}: ${what}`));
  }

  #traceReply(response: Response): void {
    const { trace } = this.#options;
    if (trace === undefined) return;
    const lines = response.text.split('\n');
    const enhanced = response.enhanced === undefined ? '' : `${response.enhanced} `;
    lines.forEach((line, i) => {
      trace('<', `${response.code}${i < lines.length - 1 ? '-' : ' '}${enhanced}${line}`);
    });
  }
}

function nameOf(step: Step): string {
  return typeof step === 'string' ? step : step();
}
