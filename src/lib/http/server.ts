/**
 * The REST server: a `TransactionService` behind the HTTP of protocol section 1. It owns the sockets, the bounds of requests and the form of
 * errors; routes translate, the service decides.
 */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Log } from '../core/deps.ts';
import type { HostPort } from '../core/envelope.ts';
import { exitCodes, UserError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { InflightGate } from './inflight-gate.ts';
import { addOpenApi } from './open-api.ts';
import { replyWithProblem, sendRefusal } from './problem-reply.ts';
import { refuseGarbage } from './refuse-garbage.ts';
import type { TransactionService } from './service.ts';
import { addTransactionRoutes, addUploadRoutes, type RouteContext } from './transaction-routes.ts';

/** What is known of a request before its entity is read. */
export interface RestRequest {
  readonly method: string;
  /** The pattern of the route, `/transactions/:id`; `undefined` when there is none. */
  readonly route: string | undefined;
  readonly params: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly remoteAddress: string | undefined;
}

export interface RestAnswer {
  readonly method: string;
  readonly route: string | undefined;
  readonly status: number;
  readonly durationMs: number;
}

export interface RestHooks {
  /** May refuse a request by throwing a `RequestProblem` (authorization). */
  readonly onRequest?: (request: RestRequest) => void | Promise<void>;
  /** Hears of every answer (metrics). */
  readonly onAnswer?: (answer: RestAnswer) => void;
}

export interface RestServerOptions {
  readonly service: TransactionService;
  readonly log: Log;
  /** Base URL of this replica, absolute and without a trailing slash; see `BaseUris`. Defaults to the address that was bound. */
  readonly sessionUri?: string;
  /** Defaults to `sessionUri`. */
  readonly serviceUri?: string;
  /** Paths of PEM files; HTTPS when given. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Requests at work at the same time, and separately uploads; hanging GETs count as neither. */
  readonly maxInflight?: number;
  readonly bodyLimits?: { readonly jsonBytes?: number; readonly blobBytes?: number };
  readonly hooks?: RestHooks;
}

export interface RestServer {
  /** Binds; resolves with the address (port 0 asks for a free one). Rejects with the error of the system. */
  listen(addr: HostPort): Promise<HostPort>;
  /** Answers who hangs, finishes what is at work, and closes; with `signal` aborted, cuts what is left. */
  close(signal?: AbortSignal): Promise<void>;
}

const MAX_INFLIGHT = 1000;

/** Makes a server that does not listen yet; throws `UserError` when the TLS files cannot be read. */
export async function createRestServer(options: RestServerOptions): Promise<RestServer> {
  const { log, bodyLimits } = options;
  const app = createApp(options.tls, bodyLimits?.jsonBytes ?? limits.requestJsonBytes);
  // Requests are checked by the schemas in `wire-request`, which name the field at fault; here schemas only document.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler((error, request, reply) => replyWithProblem(log, error, request, reply));
  app.setNotFoundHandler((_request, reply) => sendRefusal(reply, { status: 404, detail: 'no such resource' }));
  addHooks(app, options.hooks ?? {});
  await addOpenApi(app);
  const closing = new AbortController();
  const bases = { sessionUri: options.sessionUri ?? '', serviceUri: options.serviceUri ?? options.sessionUri ?? '' };
  const context: RouteContext = {
    service: options.service,
    bases,
    blobBytesMax: bodyLimits?.blobBytes ?? limits.messageBytes,
    closing: closing.signal,
  };
  const maxInflight = options.maxInflight ?? MAX_INFLIGHT;
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, entity, parsed) => parsed(null, entity));
    addGate(scope, maxInflight);
    addTransactionRoutes(scope, context);
    done();
  });
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    // The entity stays in the socket: the route streams it from the raw request.
    scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null));
    addGate(scope, maxInflight);
    addUploadRoutes(scope, context);
    done();
  });
  await app.ready();
  return {
    async listen(addr) {
      const bound = await listen(app, addr);
      bases.sessionUri ||= baseUri(options.tls === undefined ? 'http' : 'https', bound);
      bases.serviceUri ||= bases.sessionUri;
      return bound;
    },
    close: (signal) => {
      closing.abort();
      return close(app, signal);
    },
  };
}

function createApp(tls: RestServerOptions['tls'], jsonBytes: number): FastifyInstance {
  const base = {
    logger: false,
    bodyLimit: jsonBytes,
    exposeHeadRoutes: false,
    // Uploads may take long; a connection on which nothing moves may not.
    requestTimeout: 0,
    connectionTimeout: limits.httpIdleMs,
    forceCloseConnections: 'idle' as const,
    routerOptions: { maxParamLength: 4 * limits.requestNameChars },
    clientErrorHandler: refuseGarbage,
    frameworkErrors: (error: Error, _request: unknown, reply: { readonly raw: import('node:http').ServerResponse }) => {
      reply.raw.writeHead(400, { 'content-type': 'application/problem+json' });
      reply.raw.end(JSON.stringify({ type: 'about:blank', title: 'Bad Request', status: 400, detail: error.message }));
    },
  };
  if (tls === undefined) return Fastify(base);
  return Fastify({ ...base, https: { cert: readPem(tls.cert), key: readPem(tls.key) } }) as unknown as FastifyInstance;
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${(error as Error).message}`, exitCodes.config);
  }
}

function addHooks(app: FastifyInstance, { onRequest, onAnswer }: RestHooks): void {
  if (onRequest !== undefined) {
    app.addHook('onRequest', async (request) => {
      await onRequest({
        method: request.method,
        route: request.routeOptions.url,
        params: request.params as Readonly<Record<string, string>>,
        headers: request.headers,
        remoteAddress: request.socket.remoteAddress,
      });
    });
  }
  if (onAnswer !== undefined) {
    app.addHook('onResponse', (request, reply, done) => {
      onAnswer({
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        durationMs: reply.elapsedTime,
      });
      done();
    });
  }
}

/** Counts the requests of a scope before their entity is read; a hanging GET is counted where it waits. */
function addGate(scope: FastifyInstance, max: number): void {
  const gate = new InflightGate(max);
  const inside = new WeakSet<object>();
  scope.addHook('onRequest', (request, _reply, done) => {
    if (request.method !== 'GET' || request.headers['if-none-match'] === undefined) {
      try {
        gate.enter();
        inside.add(request);
      } catch (error) {
        done(error as Error);
        return;
      }
    }
    done();
  });
  scope.addHook('onResponse', (request, _reply, done) => {
    if (inside.delete(request)) gate.leave();
    done();
  });
}

async function listen(app: FastifyInstance, { host, port }: HostPort): Promise<HostPort> {
  await app.listen({ host, port });
  const bound = app.server.address() as AddressInfo;
  return { host: bound.address, port: bound.port };
}

function baseUri(scheme: string, { host, port }: HostPort): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function close(app: FastifyInstance, signal: AbortSignal | undefined): Promise<void> {
  const cut = (): void => app.server.closeAllConnections();
  if (signal?.aborted) cut();
  else signal?.addEventListener('abort', cut, { once: true });
  try {
    await app.close();
  } finally {
    signal?.removeEventListener('abort', cut);
  }
}
