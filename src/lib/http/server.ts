/**
 * The REST server: a `TransactionService` behind the HTTP of protocol section 1. It owns the sockets, the bounds of requests and the form of
 * errors; routes translate, the service decides.
 */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { type Admission, alwaysOpen } from '../core/admission.ts';
import type { Clock, Log } from '../core/deps.ts';
import type { HostPort } from '../core/envelope.ts';
import { exitCodes, UserError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Access, AccessRequest } from './access.ts';
import { addAccess, addGate, makeGate, peerGate } from './admission.ts';
import { type Caller, itself } from './caller.ts';
import { FrameRoutes, type FrameRoutesOptions } from './frame-routes.ts';
import { type FrameServer, serveFrames } from './frame-server.ts';
import { addHealthRoutes, type HealthOptions } from './health-routes.ts';
import { addJsonBudget } from './json-budget.ts';
import { addNotFound } from './not-found.ts';
import { addOpenApi } from './open-api.ts';
import type { Opening } from './opening.ts';
import { replyWithProblem } from './problem-reply.ts';
import { addQueueRoutes } from './queue-routes.ts';
import type { QueueService } from './queue-service.ts';
import { tellQueuedReplies } from './queued-replies.ts';
import { refuseGarbage } from './refuse-garbage.ts';
import type { TransactionService } from './service.ts';
import { addTransactionRoutes, addUploadRoutes } from './transaction-routes.ts';
import type { RouteContext } from './transaction-verbs.ts';
import { WaitingRoom } from './waiting-room.ts';

export interface RestAnswer {
  readonly method: string;
  /** The pattern of the route, `/transactions/:id`; `undefined` when there is none. */
  readonly route: string | undefined;
  readonly status: number;
  readonly durationMs: number;
}

export interface RestHooks {
  /** Hears of every answer (metrics). */
  readonly onAnswer?: (answer: RestAnswer) => void;
}

export interface RestServerOptions {
  readonly service: TransactionService;
  readonly log: Log;
  /** Measures how long an answer takes. */
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Base URL of this replica, absolute and without a trailing slash; see `BaseUris`. Defaults to the address that was bound. */
  readonly sessionUri?: string;
  /** Defaults to `sessionUri`. */
  readonly serviceUri?: string;
  /** Paths of PEM files; HTTPS when given. With `clientCa`, clients are asked for a certificate; what it is worth, `access` says. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
  /** Who may call; without it everybody may do everything, which is for tests and for applications that know their callers otherwise. */
  readonly access?: Access;
  /** Requests at work at the same time, and separately uploads; hanging GETs count as neither. */
  readonly maxInflight?: number;
  /** Whether creates are taken; default: always. */
  readonly admission?: Admission;
  /** Of them, those of one client address that is not trusted. */
  readonly maxInflightPerPeer?: number;
  readonly bodyLimits?: {
    readonly jsonBytes?: number;
    /** Of all requests that are read at the same time. */
    readonly allJsonBytes?: number;
    readonly blobBytes?: number;
  };
  readonly hooks?: RestHooks;
  /** Lists and histories of transactions; a gateway, which keeps none, has none. */
  readonly queue?: QueueService;
  readonly health?: HealthOptions;
  /** For who listens before it can serve; without it requests are served at once. */
  readonly opening?: Opening;
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
  const { log, bodyLimits, admission = alwaysOpen, opening } = options;
  const app = createApp(options.tls, bodyLimits?.jsonBytes ?? limits.requestJsonBytes);
  // Requests are checked by the schemas in `wire-request`, which name the field at fault; here schemas only document.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler((error, request, reply) => replyWithProblem(log, error, request, reply));
  addNotFound(app);
  addAccess(app, options.access);
  addHooks(app, options.hooks ?? {});
  await addOpenApi(app);
  // Outside of the gates: a server that is busy lives.
  addHealthRoutes(app, options.health ?? {});
  const closing = new AbortController();
  const room = new WaitingRoom();
  const bases = { sessionUri: options.sessionUri ?? '', serviceUri: options.serviceUri ?? options.sessionUri ?? '' };
  const context: RouteContext = {
    service: options.service,
    bases,
    blobBytesMax: bodyLimits?.blobBytes ?? limits.messageBytes,
    room,
    closing: closing.signal,
  };
  const maxInflight = options.maxInflight ?? MAX_INFLIGHT;
  const peers = peerGate(options.maxInflightPerPeer ?? limits.restInflightPerPeer);
  const gates = {
    transactions: makeGate(maxInflight, peers, admission),
    uploads: makeGate(maxInflight, peers, admission),
  };
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, entity, parsed) => parsed(null, entity));
    const gate = gates.transactions;
    addGate(scope, gate, opening);
    const json = addJsonBudget(scope, bodyLimits?.allJsonBytes ?? limits.requestsJsonBytes, admission);
    const leave: typeof gate.leave = (request) => {
      json.leave(request);
      gate.leave(request);
    };
    addTransactionRoutes(scope, context, { ...gate, leave });
    if (options.queue !== undefined) addQueueRoutes(scope, options.queue, bases);
    done();
  });
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    // The entity stays in the socket: the route streams it from the raw request.
    scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null));
    addGate(scope, gates.uploads, opening);
    addUploadRoutes(scope, context, gates.uploads);
    done();
  });
  await app.ready();
  const frames = framesOf(app, options, { context, gates });
  return {
    async listen(addr) {
      const bound = await listen(app, addr);
      bases.sessionUri ||= baseUri(options.tls === undefined ? 'http' : 'https', bound);
      bases.serviceUri ||= bases.sessionUri;
      return bound;
    },
    close: (signal) => {
      opening?.giveUp();
      closing.abort();
      room.close();
      frames.close();
      return close(app, signal, () => frames.cut());
    },
  };
}

function framesOf(
  app: FastifyInstance,
  { access, log, clock, hooks = {}, opening }: RestServerOptions,
  shared: Pick<FrameRoutesOptions, 'context' | 'gates'>,
): FrameServer {
  const identify = (request: AccessRequest): Caller => access?.identify(request) ?? itself;
  // Larger JSON has to have its room first.
  const jsonBytesMax = Math.min(app.initialConfig.bodyLimit ?? 0, limits.bodyUnaskedBytes);
  const routes = new FrameRoutes({ ...shared, identify, hooks, clock, log, jsonBytesMax, ...(opening && { opening }) });
  return serveFrames({ server: app.server, routes, route: app.routing, identify });
}

function createApp(tls: RestServerOptions['tls'], jsonBytes: number): FastifyInstance {
  const base = {
    logger: false,
    bodyLimit: jsonBytes,
    exposeHeadRoutes: false,
    // Uploads may take long; a connection on which nothing moves may not.
    requestTimeout: limits.restRequestMs,
    connectionTimeout: limits.httpIdleMs,
    forceCloseConnections: 'idle' as const,
    routerOptions: { maxParamLength: 4 * limits.requestNameChars },
    clientErrorHandler: refuseGarbage,
    frameworkErrors: (error: Error, _request: unknown, reply: { readonly raw: import('node:http').ServerResponse }) => {
      reply.raw.writeHead(400, { 'content-type': 'application/problem+json' });
      reply.raw.end(JSON.stringify({ type: 'about:blank', title: 'Bad Request', status: 400, detail: error.message }));
    },
  };
  const app = tls === undefined ? Fastify({ ...base, http: HEADER_BOUND }) : createTlsApp(base, tls);
  app.server.headersTimeout = limits.restHeaderMs;
  app.server.maxConnections = limits.restConnections;
  tellQueuedReplies(app.server);
  return app;
}

const HEADER_BOUND = { maxHeaderSize: limits.restHeaderBytes };

function createTlsApp(base: object, tls: NonNullable<RestServerOptions['tls']>): FastifyInstance {
  const pair = { cert: readPem(tls.cert), key: readPem(tls.key) };
  // A certificate that is wrong or missing is answered in HTTP, where there are words for it, and not by a broken handshake.
  const asked = tls.clientCa && { ca: readPem(tls.clientCa), requestCert: true, rejectUnauthorized: false };
  return Fastify({ ...base, https: { ...HEADER_BOUND, ...pair, ...asked } }) as unknown as FastifyInstance;
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${(error as Error).message}`, exitCodes.config);
  }
}

function addHooks(app: FastifyInstance, { onAnswer }: RestHooks): void {
  if (onAnswer === undefined) return;
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

async function listen(app: FastifyInstance, { host, port }: HostPort): Promise<HostPort> {
  await app.listen({ host, port });
  const bound = app.server.address() as AddressInfo;
  return { host: bound.address, port: bound.port };
}

function baseUri(scheme: string, { host, port }: HostPort): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function close(app: FastifyInstance, signal: AbortSignal | undefined, cutFrames: () => void): Promise<void> {
  const cut = (): void => {
    app.server.closeAllConnections();
    cutFrames();
  };
  if (signal?.aborted) cut();
  else signal?.addEventListener('abort', cut, { once: true });
  try {
    await app.close();
  } finally {
    signal?.removeEventListener('abort', cut);
  }
}
