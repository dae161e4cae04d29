/**
 * Requests that come as frames, for a REST server: each is given to the same verbs and gates as one that came by itself, so whoever
 * calls is asked who he is for each of them, and each counts as one.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { limits } from '../core/limits.ts';
import { TransientMap } from '../core/transient-map.ts';
import type { AccessRequest } from './access.ts';
import type { Caller } from './caller.ts';
import { encodeFrame, FRAMES_TARGET, type Frame, FrameError, kinds } from './frame.ts';
import { FrameChannel } from './frame-channel.ts';
import { FrameRequest, FrameResponse } from './frame-exchange.ts';
import type { FrameRoutes } from './frame-routes.ts';

export interface FrameServerOptions {
  readonly server: Server;
  /** What the usual requests are given to. */
  readonly routes: Pick<FrameRoutes, 'take'>;
  /** What all others are given to. */
  readonly route: (request: IncomingMessage, response: ServerResponse) => void;
  /** Who calls; throws a `RequestProblem` 401. */
  readonly identify: (request: AccessRequest) => Caller;
}

type Routes = Pick<FrameServerOptions, 'routes' | 'route'>;

export interface FrameServer {
  /** Takes no more; ends each connection when its requests are answered. */
  close(): void;
  /** Ends all of them at once. */
  cut(): void;
}

const REFUSED = 'HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';
const WELCOME = 'HTTP/1.1 200 OK\r\n\r\n';

/** Lets gateways and routers connect for frames; nobody else has so much to say. */
export function serveFrames({ server, identify, ...routes }: FrameServerOptions): FrameServer {
  const lines = new Set<ServedLine>();
  let isClosed = false;
  server.on('connect', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const socket = stream as Socket;
    // Until the line listens.
    socket.on('error', () => socket.destroy());
    const isWelcome = !isClosed && lines.size < limits.frameLines && request.url === FRAMES_TARGET;
    if (!isWelcome || !isTrusted(request, identify)) {
      socket.end(REFUSED);
      return;
    }
    socket.write(WELCOME);
    const line: ServedLine = new ServedLine(socket, head, routes, () => lines.delete(line));
    lines.add(line);
  });
  return {
    close() {
      isClosed = true;
      for (const line of lines) line.close();
    },
    cut() {
      for (const line of lines) line.cut();
    },
  };
}

/** Each request is asked again: a token may end before the connection does. */
function isTrusted(request: IncomingMessage, identify: FrameServerOptions['identify']): boolean {
  try {
    return identify(request).isTrusted;
  } catch {
    return false;
  }
}

class ServedLine {
  readonly #socket: Socket;
  readonly #routes: Routes;
  readonly #channel: FrameChannel;
  readonly #open = new TransientMap<number, FrameResponse>();
  #isClosing = false;

  constructor(socket: Socket, head: Buffer, routes: Routes, onEnd: () => void) {
    this.#socket = socket;
    this.#routes = routes;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, limits.frameKeepAliveMs);
    // The HTTP server's ends whatever is quiet, also what waits for an answer.
    socket.removeAllListeners('timeout');
    socket.setTimeout(limits.httpIdleMs, () => {
      if (this.#open.size === 0) this.#channel.destroy();
    });
    this.#channel = new FrameChannel({
      socket,
      head,
      maxBytes: limits.frameEntityBytes + limits.restHeaderBytes,
      onFrame: (frame) => this.#take(frame),
      onEnd: () => {
        for (const response of [...this.#open.values()]) response.abandon();
        onEnd();
      },
    });
  }

  close(): void {
    this.#isClosing = true;
    if (this.#open.size === 0) this.#channel.end();
  }

  cut(): void {
    this.#channel.destroy();
  }

  #take(frame: Frame): void {
    if (frame.kind === kinds.cancel) {
      this.#open.get(frame.id)?.abandon();
      this.#channel.send(encodeFrame(frame.id, kinds.cancelled, '', {}, ''));
      return;
    }
    const space = frame.start.indexOf(' ');
    if (frame.kind !== kinds.request || space <= 0 || this.#open.has(frame.id)) throw new FrameError('no request');
    if (this.#open.size >= limits.framesInFlight) throw new FrameError('too many requests at the same time');
    const method = frame.start.slice(0, space);
    const url = frame.start.slice(space + 1);
    const response = new FrameResponse(this.#socket, this.#onOver, frame.id, this.#channel);
    this.#open.set(frame.id, response);
    const { routes, route } = this.#routes;
    if (routes.take(frame, method, url, response)) return;
    const request = new FrameRequest(frame, method, url, this.#socket);
    route(request as unknown as IncomingMessage, response as unknown as ServerResponse);
  }

  readonly #onOver = (id: number): void => {
    this.#open.delete(id);
    if (this.#isClosing && this.#open.size === 0) this.#channel.end();
  };
}
