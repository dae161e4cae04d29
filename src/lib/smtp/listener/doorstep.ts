/**
 * Where those wait for whom there is no session. Refused at once they come back at once, and connecting takes more of a busy process than waiting
 * does: so a refusal is said a little later, when there may be room after all. Nothing is made for them, and nothing of theirs is kept: a client
 * has nothing to say before it is greeted (RFC 5321 §4.3.1), or no more than the beginning of a handshake.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../../core/deps.ts';
import { FairShares } from '../../core/fair-shares.ts';

export interface DoorstepOptions {
  readonly clock: Pick<Clock, 'after'>;
  readonly waitMs: number;
  /** How many wait at the same time; the next is not kept waiting. The last tenth is for peers that have less than their share. */
  readonly max: number;
}

interface Waiting {
  readonly peer: string;
  readonly decide: () => void;
  readonly cancel: () => void;
}

export class Doorstep {
  readonly #options: DoorstepOptions;
  /** What becomes of them, and how that is taken back. */
  readonly #waiting = new Map<Socket, Waiting>();
  readonly #places: FairShares;
  #isClosed = false;

  constructor(options: DoorstepOptions) {
    this.#options = options;
    this.#places = new FairShares(options.max);
  }

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Calls `decide` after the wait, at once where there is no room to wait, and as soon as the client says something, or more than `expectedBytes`.
   * Until then errors of the socket concern nobody. `peer`: as `peerKey` names it.
   */
  wait(socket: Socket, peer: string, decide: () => void, expectedBytes = 0): void {
    const { clock, waitMs } = this.#options;
    if (this.#isClosed || !this.#places.isOpenTo(peer)) {
      decide();
      return;
    }
    socket.on('error', ignore);
    const stopTimer = clock.after(waitMs, () => this.#decide(socket));
    const stopListening = onMoreBytes(socket, expectedBytes, {
      notice: () => this.#decide(socket),
      // Who has said his last word does not wait any longer; to begin a handshake with him would end the process (Node 20).
      end: () => socket.destroy(),
    });
    const cancel = (): void => {
      stopTimer();
      stopListening();
    };
    this.#places.take(peer);
    this.#waiting.set(socket, { peer, decide, cancel });
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
    if (waiting === undefined) return undefined;
    this.#waiting.delete(socket);
    this.#places.leave(waiting.peer);
    waiting.cancel();
    return waiting.decide;
  }
}

interface Heard {
  /** More than was expected. */
  readonly notice: () => void;
  /** Nothing more will come. */
  readonly end: () => void;
}

/** Calls back when more bytes than that have come in, which stay in the socket, or the last one; the returned function ends that. */
function onMoreBytes(socket: Socket, expectedBytes: number, { notice, end }: Heard): () => void {
  const { push } = socket;
  let heardBytes = 0;
  socket.push = (chunk: Buffer | null): boolean => {
    const goesOn = push.call(socket, chunk);
    if (chunk === null) {
      end();
      return goesOn;
    }
    heardBytes += chunk.length;
    if (heardBytes > expectedBytes) notice();
    return goesOn;
  };
  return () => {
    socket.push = push;
  };
}

/** Who goes away while he waits leaves nothing behind. */
const ignore = (): void => undefined;

/** Says a last word without a session, and ends the connection, which is cut where the client does not end it too. */
export function sayGoodbye(socket: Socket, text: string | Buffer, clock: Pick<Clock, 'after'>, lingerMs: number): void {
  socket.on('error', ignore);
  const cancel = clock.after(lingerMs, () => socket.destroy());
  socket.once('close', cancel);
  // What it sends meanwhile is nothing to us, but has to be read for its end to be seen.
  socket.resume();
  socket.end(text);
}
