/** A request that came as a frame, and its answer, in the form in which routes and their framework know requests and answers. */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { encodeFrame, FRAMES_HEADER, type Frame, FrameError, kinds } from './frame.ts';
import type { FrameChannel } from './frame-channel.ts';

/** A request whose entity is there. What an `IncomingMessage` shows, as far as routes look. */
export class FrameRequest extends Readable {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly socket: Socket;
  readonly httpVersion = '1.1';
  readonly httpVersionMajor = 1;
  readonly httpVersionMinor = 1;
  readonly complete = true;

  constructor({ entity, headers }: Frame, method: string, url: string, socket: Socket) {
    super();
    this.method = method;
    this.url = url;
    this.headers = headers;
    // What is there is what counts, whatever was said of it.
    headers['content-length'] = String(entity.length);
    this.socket = socket;
    // A message may be kept for long: not with everything that was read together with it.
    if (entity.length > 0) this.push(method === 'PUT' ? Buffer.from(entity) : entity);
    this.push(null);
  }

  override _read(): void {
    // All of it was pushed.
  }
}

type Headers = Record<string, string | number>;

/** Becomes a frame when it ends. What a `ServerResponse` shows, as far as routes and their framework look. */
export class FrameResponse extends EventEmitter {
  readonly socket: Socket;
  readonly #onOver: (id: number) => void;
  readonly #id: number;
  readonly #channel: FrameChannel;
  #headers: Headers = {};
  statusCode = 200;
  headersSent = false;
  writableEnded = false;
  destroyed = false;

  constructor(socket: Socket, onOver: (id: number) => void, id: number, channel: FrameChannel) {
    super();
    this.socket = socket;
    this.#onOver = onOver;
    this.#id = id;
    this.#channel = channel;
  }

  /** The framework's word for what knows the connection: there is nothing in between. */
  get raw(): this {
    return this;
  }

  /** Nobody else answers. */
  hijack(): this {
    return this;
  }

  get finished(): boolean {
    return this.writableEnded;
  }

  get writableFinished(): boolean {
    return this.writableEnded;
  }

  setHeader(name: string, value: string | number): this {
    this.#headers[name.toLowerCase()] = value;
    return this;
  }

  getHeader(name: string): string | number | undefined {
    return this.#headers[name.toLowerCase()];
  }

  hasHeader(name: string): boolean {
    return this.getHeader(name) !== undefined;
  }

  removeHeader(name: string): void {
    delete this.#headers[name.toLowerCase()];
  }

  writeHead(status: number, headers: Headers = {}): this {
    this.statusCode = status;
    this.headersSent = true;
    for (const name in headers) if (name !== FRAMES_HEADER) this.#headers[name] = headers[name] as string | number;
    return this;
  }

  end(entity: Buffer | string | null = null): this {
    if (this.writableEnded) return this;
    this.writableEnded = true;
    this.headersSent = true;
    if (this.destroyed) {
      // Nobody hears it, but whoever counts requests has to know that this one is over.
      this.emit('finish');
      return this;
    }
    this.#send(entity ?? '');
    this.#onOver(this.#id);
    this.emit('finish');
    this.emit('close');
    return this;
  }

  /** An answer that cannot be said this way (a head without end) is as good as none. */
  #send(entity: Buffer | string): void {
    try {
      this.#channel.send(encodeFrame(this.#id, kinds.answer, String(this.statusCode), this.#headers, entity));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#channel.destroy();
    }
  }

  /** Nobody waits for it any more. */
  abandon(): void {
    if (this.writableEnded || this.destroyed) return;
    this.destroyed = true;
    this.#onOver(this.#id);
    this.emit('close');
  }

  destroy(): this {
    this.abandon();
    return this;
  }
}
