/**
 * Our end of a connection to a peer that takes frames: opened when the peer has said that it does, and then used for every request that is small.
 * Whenever there is none, requests go out by themselves, as to any peer.
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { limits } from '../core/limits.ts';
import { TransientMap } from '../core/transient-map.ts';
import { encodeFrame, FRAMES_TARGET, type Frame, kinds } from './frame.ts';
import { FrameChannel } from './frame-channel.ts';
import { HttpTrouble, type SentAnswer, type SentRequest } from './request.ts';

interface Asked {
  readonly id: number;
  readonly resolve: (answer: SentAnswer) => void;
  readonly reject: (error: Error) => void;
  readonly forget: () => void;
}

const OFFERS_PASSED_OVER = 1000;
/** At most, of a character of a string. */
const UTF8_BYTES_PER_CHAR = 3;
const NOTHING = Buffer.alloc(0);

export class FrameLine {
  readonly origin: string;
  readonly #dispatcher: Dispatcher;
  #channel: FrameChannel | undefined;
  #isOpening = false;
  #isClosed = false;
  /** Offers that are passed over: a peer, or something before it, that has refused may do otherwise some time. */
  #passedOver = 0;
  /**
   * Something was given up, and nothing was heard since: the connection may lead nowhere any more, and nobody would tell. Until it is heard of
   * again, requests go by themselves.
   */
  #isDoubtful = false;
  #lastId = 0;
  readonly #asked = new TransientMap<number, Asked>();
  #onIdle: (() => void) | undefined;

  constructor(dispatcher: Dispatcher, origin: string) {
    this.#dispatcher = dispatcher;
    this.origin = origin;
  }

  /** The peer says that it takes frames; `headers` show it who we are. */
  offer(headers: SentRequest['headers']): void {
    if (this.#passedOver > 0) this.#passedOver -= 1;
    if (this.#isOpening || this.#passedOver > 0 || this.#isClosed) return;
    // The peer is there, and yet silent on this connection.
    if (this.#isDoubtful) this.#channel?.destroy();
    if (this.#channel !== undefined) return;
    this.#isOpening = true;
    const { authorization } = headers;
    const refused = (): void => {
      this.#isOpening = false;
      this.#passedOver = OFFERS_PASSED_OVER;
    };
    this.#dispatcher
      .connect({
        origin: this.origin,
        path: FRAMES_TARGET,
        headers: authorization === undefined ? null : { authorization },
      })
      .then(({ statusCode, socket }) => {
        if (statusCode === 200) {
          this.#open(socket);
          return;
        }
        socket.on('error', () => undefined); // it is closed, whatever comes
        socket.destroy();
        refused();
      }, refused);
  }

  /** Whether a request can go this way now. */
  takes({ body }: SentRequest): boolean {
    const channel = this.#channel;
    if (channel === undefined || this.#isDoubtful || channel.isEnded || channel.isFull) return false;
    if (this.#asked.size >= limits.framesInFlight) return false;
    if (body === null) return true;
    if (typeof body === 'string') return body.length <= limits.frameEntityBytes / UTF8_BYTES_PER_CHAR;
    return Buffer.isBuffer(body) && body.length <= limits.frameEntityBytes;
  }

  /** Sends a request; rejects with `HttpTrouble`, or with an error whose `code` says that the connection is gone. */
  request(ask: SentRequest): Promise<SentAnswer> {
    return new Promise((resolve, reject) => {
      const { method, path, headers, body, ending } = ask;
      if (ending.isEnded) {
        reject(aborted());
        return;
      }
      this.#lastId = (this.#lastId + 1) >>> 0;
      const id = this.#lastId;
      const frame = encodeFrame(id, kinds.request, `${method} ${path}`, headers, (body ?? '') as Buffer | string);
      const forget = ending.onEnd(() => {
        this.#asked.delete(id);
        this.#isDoubtful = true;
        this.#channel?.send(encodeFrame(id, kinds.cancel, '', {}, ''));
        reject(aborted());
        this.#tellIdle();
      });
      this.#asked.set(id, { id, resolve, reject, forget });
      this.#channel?.send(frame);
    });
  }

  /** Ends when everything is answered. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#asked.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#channel?.end();
  }

  /** Ends at once. */
  destroy(): void {
    this.#isClosed = true;
    this.#channel?.destroy();
  }

  #open(socket: Duplex): void {
    this.#isOpening = false;
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    if (socket instanceof Socket) socket.setNoDelay(true).setKeepAlive(true, limits.frameKeepAliveMs);
    this.#channel = new FrameChannel({
      socket,
      head: NOTHING,
      maxBytes: limits.httpAnswerBytes + limits.restHeaderBytes,
      onFrame: (frame) => this.#take(frame),
      onEnd: () => this.#end(),
    });
  }

  #take({ id, kind, start, headers, entity }: Frame): void {
    this.#isDoubtful = false;
    const asked = this.#asked.get(id);
    // What was given up may still be answered.
    if (kind !== kinds.answer || asked === undefined) return;
    this.#asked.delete(id);
    asked.forget();
    asked.resolve({ statusCode: Number(start), headers, body: entity });
    this.#tellIdle();
  }

  #end(): void {
    this.#channel = undefined;
    this.#isDoubtful = false;
    for (const { id, reject, forget } of this.#asked.values()) {
      this.#asked.delete(id);
      forget();
      reject(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }));
    }
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#asked.size === 0) this.#onIdle?.();
  }
}

function aborted(): HttpTrouble {
  return new HttpTrouble('aborted', 'the deadline passed or the exchange ended');
}
