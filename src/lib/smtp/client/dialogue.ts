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
import { Outgoing } from './outgoing.ts';
import { ReplyParser } from './reply-parser.ts';
import type { ShortReads } from './short-reads.ts';

/** Hears each line that is sent (`>`) or received (`<`), and remarks (`=`). */
export type Trace = (direction: '>' | '<' | '=', text: string) => void;

export interface DialogueOptions {
  readonly clock: Clock;
  /** Bound on the wait for each single reply, and on each pause while data is being written. */
  readonly timeoutMs: number;
  readonly trace?: Trace | undefined;
  /** How the socket reads, when that is not Node's way. */
  readonly reads?: ShortReads | undefined;
}

/** Who waits for a reply. */
export interface Awaiting {
  /** Completes the sentence `connection lost …`: `at RCPT`. Looked at when there will be no reply. */
  readonly step: string;
  /** Called once for each reply that is awaited; `isOwnWord` when it never came, so that this is what stands for it. */
  settle(response: Response, isOwnWord: boolean): void;
}

/** A command that has its turn once there is an answer to those before it. */
interface Unsent {
  readonly line: string;
  readonly awaiting: Awaiting;
}

/** Makes the answer for an open command when the dialogue has failed. */
type Failure = (step: string) => Response;

export class Dialogue {
  /** The server takes commands before it has answered earlier ones (RFC 2920). */
  pipelining = false;
  readonly #options: DialogueOptions;
  readonly #closed = new AbortController();
  readonly #outgoing: Outgoing;
  #socket: Socket;
  #parser = new ReplyParser();
  /** In the order of their replies. Those of commands are in it as soon as the command may go out. */
  readonly #pending: Awaiting[] = [];
  readonly #unsent: Unsent[] = [];
  #failure: Failure | undefined;
  #isWatched = false;
  #deadline = 0;
  #lastError = '';
  #wakeWriter: (() => void) | undefined;
  #stopListening: () => void = () => undefined;

  constructor(socket: Socket, options: DialogueOptions) {
    this.#socket = socket;
    this.#outgoing = new Outgoing(socket);
    this.#options = options;
    this.#listen(socket, options.reads);
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
  ask(line: string, step: string): Promise<Response> {
    return new Promise((settle) => {
      this.command(line, { step, settle });
      this.flush();
    });
  }

  /** Waits for a reply to something that is not a command, like the connection itself. Never rejects. */
  expect(step: string): Promise<Response> {
    return new Promise((settle) => this.await({ step, settle }));
  }

  /** Puts a command in line: it leaves with the next `flush` that it may leave with. */
  command(line: string, awaiting: Awaiting): void {
    if (this.#failure !== undefined) awaiting.settle(this.#failure(awaiting.step), true);
    else if (this.pipelining || !this.isWaiting) this.#put(line, awaiting);
    else this.#unsent.push({ line, awaiting });
  }

  /** The next reply that nobody waits for yet is for this one. */
  await(awaiting: Awaiting): void {
    if (this.#failure !== undefined) {
      awaiting.settle(this.#failure(awaiting.step), true);
      return;
    }
    if (this.#pending.push(awaiting) === 1) this.#postpone();
    if (this.#isWatched) return;
    this.#isWatched = true;
    void this.#watch();
  }

  /** Has the commands that were put in line written at the end of this turn: what it asks for until then goes out in the same segment. */
  flush(): void {
    this.#outgoing.flush();
  }

  /**
   * Writes message bytes. Says `false` when there is no room for more until `drained`. `onOver` is called, later, once the system needs none of the
   * bytes any longer, whether they went out or not.
   */
  write(chunks: readonly Buffer[], onOver?: () => void): boolean {
    this.#outgoing.write(chunks, onOver);
    if (this.#failure !== undefined) return true;
    this.#postpone();
    return !this.#outgoing.isFull;
  }

  /** As `write`, at the end of this turn. For the only bytes of a message. */
  writeSoon(bytes: Buffer, onOver: () => void): void {
    this.#outgoing.writeSoon(bytes, onOver);
    this.#postpone();
  }

  /** Resolves when there is room again, or the dialogue is over. */
  drained(): Promise<void> {
    if (this.#failure !== undefined || !this.#outgoing.isFull) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wakeWriter = resolve;
    });
  }

  /** Goes on over another socket that wraps this one (TLS). Says `false` when the server has already sent more than it may. */
  upgrade(wrap: (plain: Socket) => Socket): boolean {
    // RFC 3207 §4.2: what came in clear behind the reply may have been put there by someone else.
    if (!this.isOpen || !this.#parser.isEmpty || this.isWaiting) return false;
    this.#stopListening();
    this.#parser = new ReplyParser();
    this.#socket = wrap(this.#socket);
    this.#outgoing.moveTo(this.#socket);
    this.#listen(this.#socket);
    return true;
  }

  /** Ends the dialogue; open commands are answered with `why`, by default that the connection was lost. */
  destroy(why: Failure = this.#lost): void {
    if (this.#failure === undefined) this.#end(why);
  }

  /** `replies` are those that still came; who gets them finds the dialogue over already. */
  #end(why: Failure, replies: readonly Response[] = []): void {
    this.#failure = why;
    this.#outgoing.end();
    this.#socket.destroy();
    this.#closed.abort();
    this.#wakeWriter?.();
    this.#settle(replies);
    const open = [...this.#pending.splice(0), ...this.#unsent.splice(0).map(({ awaiting }) => awaiting)];
    for (const awaiting of open) awaiting.settle(why(awaiting.step), true);
  }

  readonly #lost: Failure = (step) =>
    reply(450, '4.4.2', `connection lost ${step}${this.#lastError === '' ? '' : ` (${this.#lastError})`}`);

  #listen(socket: Socket, reads?: ShortReads): void {
    const onData = (chunk: Buffer): void => this.#read(chunk, chunk.length);
    const onDrain = (): void => {
      this.#postpone();
      this.#wakeWriter?.();
    };
    const onEnd = (): void => this.destroy();
    socket.on('drain', onDrain).on('end', onEnd).on('close', onEnd);
    if (reads === undefined) socket.on('data', onData);
    else reads.listen((bytes, length) => this.#read(bytes, length));
    // This one stays after an upgrade: an error that nobody hears would end the process.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#lastError = error.code ?? 'socket error';
    });
    this.#stopListening = () => {
      reads?.stop();
      socket.off('data', onData).off('drain', onDrain).off('end', onEnd).off('close', onEnd);
    };
  }

  #put(line: string, awaiting: Awaiting): void {
    this.#options.trace?.('>', line.startsWith('AUTH ') ? 'AUTH (hidden)' : line);
    this.#outgoing.say(line);
    this.await(awaiting);
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

  #read(bytes: Buffer, length: number): void {
    if (!this.isOpen) return;
    const replies: Response[] = [];
    const malformed = this.#parser.feed(bytes, length, replies);
    const failure = this.#failureIn(replies, malformed);
    if (this.#options.trace !== undefined) for (const response of replies) this.#traceReply(response);
    if (failure !== undefined) {
      this.#end(failure, replies);
      return;
    }
    if (replies.length === 0) return;
    this.#postpone();
    this.#settle(replies);
    while (this.#unsent.length > 0 && (this.pipelining || this.#pending.length === 0)) {
      const { line, awaiting } = this.#unsent.shift() as Unsent;
      this.#put(line, awaiting);
    }
    this.flush();
  }

  /** Why what came ends the dialogue, if it does. Known before anybody gets a reply and goes on with something that may not go on. */
  #failureIn(replies: Response[], malformed: string | undefined): Failure | undefined {
    const closing = replies.findIndex(({ code }) => code === 421);
    if (closing !== -1) {
      // RFC 5321 §3.8: the server is closing; what is still open gets no other answer.
      const said = replies[closing] as Response;
      replies.length = closing + 1;
      return () => said;
    }
    const what = malformed ?? (replies.length > this.#pending.length ? 'a reply to no command' : undefined);
    if (what === undefined) return undefined;
    this.#options.trace?.('=', `closing the connection: ${what}`);
    return (step) => reply(450, '4.5.0', `protocol error ${step}: ${what}`);
  }

  #settle(replies: readonly Response[]): void {
    for (const response of replies) this.#pending.shift()?.settle(response, false);
  }

  #traceReply(response: Response): void {
    const lines = response.text.split('\n');
    const enhanced = response.enhanced === undefined ? '' : `${response.enhanced} `;
    lines.forEach((line, i) => {
      this.#options.trace?.('<', `${response.code}${i < lines.length - 1 ? '-' : ' '}${enhanced}${line}`);
    });
  }
}
