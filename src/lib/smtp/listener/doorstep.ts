/**
 * Where those wait for whom there is no session. Refused at once they come back at once, and connecting takes more of a busy process than waiting
 * does: so a refusal is said a little later, when there may be room after all. Nothing is made for them, and nothing of theirs is kept: a client
 * has nothing to say before it is greeted (RFC 5321 §4.3.1).
 */
import type { Socket } from 'node:net';
import type { Clock } from '../../core/deps.ts';

export interface DoorstepOptions {
  readonly clock: Pick<Clock, 'after'>;
  readonly waitMs: number;
  /** How many wait at the same time; the next is not kept waiting. */
  readonly max: number;
}

export class Doorstep {
  readonly #options: DoorstepOptions;
  /** What becomes of them, and how that is taken back. */
  readonly #waiting = new Map<Socket, { readonly decide: () => void; readonly cancel: () => void }>();
  #isClosed = false;

  constructor(options: DoorstepOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Calls `decide` after the wait, at once where there is no room to wait, and as soon as the client says something. Until then errors of the
   * socket concern nobody.
   */
  wait(socket: Socket, decide: () => void): void {
    const { clock, waitMs, max } = this.#options;
    if (this.#isClosed || this.#waiting.size >= max) {
      decide();
      return;
    }
    socket.on('error', ignore);
    const stopTimer = clock.after(waitMs, () => this.#decide(socket));
    const stopListening = onBytes(socket, () => this.#decide(socket));
    const cancel = (): void => {
      stopTimer();
      stopListening();
    };
    this.#waiting.set(socket, { decide, cancel });
    socket.once('close', () => this.#forget(socket));
  }

  /** Nobody waits any longer. */
  close(): void {
    this.#isClosed = true;
    for (const socket of this.#waiting.keys()) this.#decide(socket);
  }

  #decide(socket: Socket): void {
    const decide = this.#forget(socket);
    if (socket.destroyed) return;
    socket.off('error', ignore);
    decide?.();
  }

  #forget(socket: Socket): (() => void) | undefined {
    const waiting = this.#waiting.get(socket);
    this.#waiting.delete(socket);
    waiting?.cancel();
    return waiting?.decide;
  }
}

/** Calls back when bytes come in, which stay in the socket; the returned function ends that. */
function onBytes(socket: Socket, notice: () => void): () => void {
  const { push } = socket;
  socket.push = (chunk: Buffer | null): boolean => {
    const goesOn = push.call(socket, chunk);
    if (chunk !== null) notice();
    return goesOn;
  };
  return () => {
    socket.push = push;
  };
}

/** Who goes away while he waits leaves nothing behind. */
const ignore = (): void => undefined;

/** Says a last word without a session: `text` and the end of the connection, which is cut where the client does not end it too. */
export function sayGoodbye(socket: Socket, text: string, clock: Pick<Clock, 'after'>, lingerMs: number): void {
  socket.on('error', ignore);
  const cancel = clock.after(lingerMs, () => socket.destroy());
  socket.once('close', cancel);
  // What it sends meanwhile is nothing to us, but has to be read for its end to be seen.
  socket.resume();
  socket.end(text);
}
