/**
 * A connection on which frames travel. What is said in one turn of the event loop, whoever says it, goes out in one write: that is what frames
 * are for.
 */
import type { Duplex } from 'node:stream';
import { limits } from '../core/limits.ts';
import { type Frame, FrameError, FrameReader } from './frame.ts';

export interface FrameChannelOptions {
  readonly socket: Duplex;
  /** What came before we listened. */
  readonly head: Buffer;
  /** What a frame of the peer may have. */
  readonly maxBytes: number;
  /** Hears of each frame; a `FrameError` it throws ends the connection. */
  readonly onFrame: (frame: Frame) => void;
  /** Hears once that the connection is gone, for whatever reason. */
  readonly onEnd: () => void;
}

export class FrameChannel {
  readonly #options: FrameChannelOptions;
  readonly #reader: FrameReader;
  #unsent: Buffer[] = [];
  #isEnded = false;
  #isEnding = false;

  constructor(options: FrameChannelOptions) {
    this.#options = options;
    this.#reader = new FrameReader(options.maxBytes);
    const { socket, head } = options;
    if (head.length > 0) socket.unshift(head);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('drain', () => socket.resume());
    socket.on('end', () => this.destroy());
    // Whatever went wrong, `close` follows.
    socket.on('error', () => this.destroy());
    socket.once('close', () => this.#end());
  }

  get isEnded(): boolean {
    return this.#isEnded || this.#isEnding;
  }

  /** The peer does not read as fast as we write. */
  get isFull(): boolean {
    return this.#options.socket.writableLength > limits.frameBacklogBytes;
  }

  /** Sends a frame with those of this turn. */
  send(frame: Buffer): void {
    if (this.#isEnded) return;
    this.#unsent.push(frame);
    if (this.#unsent.length === 1) setImmediate(this.#flush);
  }

  /** Sends what is to be sent, and closes. */
  end(): void {
    if (this.isEnded) return;
    this.#flush();
    this.#isEnding = true;
    this.#options.socket.end();
  }

  destroy(): void {
    this.#options.socket.destroy();
    this.#end();
  }

  readonly #flush = (): void => {
    const frames = this.#unsent;
    if (frames.length === 0 || this.#isEnded) return;
    this.#unsent = [];
    const { socket } = this.#options;
    socket.write(frames.length === 1 ? frames[0] : Buffer.concat(frames));
    // Who does not read what we say is not listened to until he does.
    if (this.isFull) socket.pause();
  };

  #take(chunk: Buffer): void {
    if (this.#isEnded) return;
    try {
      for (const frame of this.#reader.read(chunk)) this.#options.onFrame(frame);
    } catch (error) {
      this.destroy();
      if (!(error instanceof FrameError)) throw error;
    }
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#unsent = [];
    this.#options.onEnd();
  }
}
