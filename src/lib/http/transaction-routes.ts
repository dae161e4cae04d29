/** The routes of transactions (protocol §1.2 to §1.7): headers and entities in, calls of the service, JSON and headers out. */
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { KeyedGate } from '../core/keyed-gate.ts';
import { limits } from '../core/limits.ts';
import { peerKey } from '../core/peer-key.ts';
import { checkClaims, checkSender } from './authorize.ts';
import { callerOf } from './caller.ts';
import { InflightGate } from './inflight-gate.ts';
import { routeDocs } from './open-api.ts';
import { progressHeader } from './problem-reply.ts';
import { RequestProblem, type TransactionService, type TransactionView } from './service.ts';
import { discardRest, readUpload } from './upload-request.ts';
import { DSN_HEADER, dsnHeader } from './wire-dsn.ts';
import { readCreate, readUpdate } from './wire-request.ts';
import { type BaseUris, transactionUri, viewToJson } from './wire-view.ts';

export interface RouteContext {
  readonly service: TransactionService;
  readonly bases: BaseUris;
  readonly blobBytesMax: number;
  /** Aborts when the server closes: nobody is kept waiting. */
  readonly closing: AbortSignal;
}

type IdParams = { readonly id: string };

const NOTHING = Buffer.alloc(0);
const JSON_MEDIA_TYPE = /^application\/json[ \t]*(;|$)/i;

/** Create, read, update and cancel; the entity of each arrives as a `Buffer`. */
export function addTransactionRoutes(app: FastifyInstance, context: RouteContext): void {
  const { service, bases } = context;
  app.post<{ Params: { readonly sender: string } }>(
    '/senders/:sender/transactions',
    { schema: routeDocs.create },
    async (request, reply) => {
      const caller = callerOf(request);
      checkSender(caller, request.params.sender);
      const ask = readCreate(entityOf(request));
      checkClaims(caller, ask);
      const view = await service.create(request.params.sender, ask, caller);
      reply.code(201).header('location', transactionUri(bases.sessionUri, view.id));
      return sendView(reply, view, bases);
    },
  );
  app.get<{ Params: IdParams }>('/transactions/:id', { schema: routeDocs.read }, readRoute(context));
  app.patch<{ Params: IdParams }>('/transactions/:id', { schema: routeDocs.update }, async (request, reply) => {
    const entity = entityOf(request);
    const view = await (entity.length === 0
      ? service.heartbeat(request.params.id, callerOf(request))
      : update(context, request, entity));
    return sendView(reply, view, bases);
  });
  app.post<{ Params: IdParams }>('/transactions/:id/cancel', { schema: routeDocs.cancel }, async (request, reply) => {
    await service.cancel(request.params.id, callerOf(request));
    return reply.code(200).send(NOTHING);
  });
}

/** Uploads; the entity is left in the raw request. */
export function addUploadRoutes(app: FastifyInstance, context: RouteContext): void {
  const upload = async (request: FastifyRequest, reply: FastifyReply, id: string, blob?: string) => {
    try {
      const ask = readUpload(request.raw, context.blobBytesMax);
      const progress = await context.service.upload(id, blob, ask, callerOf(request));
      const header = progressHeader(progress);
      if (header !== undefined) reply.header('content-range', header);
      return reply.header('content-type', 'application/json').send(Buffer.from('{}'));
    } finally {
      discardRest(request.raw);
    }
  };
  app.put<{ Params: IdParams }>('/transactions/:id/body', { schema: routeDocs.body }, (request, reply) =>
    upload(request, reply, request.params.id),
  );
  app.put<{ Params: IdParams & { readonly blob: string } }>(
    '/transactions/:id/blob/:blob',
    { schema: routeDocs.blob },
    (request, reply) => upload(request, reply, request.params.id, request.params.blob),
  );
}

function readRoute({ service, bases, closing }: RouteContext) {
  const waiting = new InflightGate(limits.hangingGets);
  const peers = new KeyedGate(limits.hangingGetsPerPeer);
  const stops = new Set<() => void>();
  closing.addEventListener('abort', () => {
    for (const stop of stops) stop();
  });
  return async (request: FastifyRequest<{ Params: IdParams }>, reply: FastifyReply): Promise<FastifyReply> => {
    const { id } = request.params;
    const caller = callerOf(request);
    const ifNoneMatch = request.headers['if-none-match'];
    if (ifNoneMatch === undefined) {
      return sendView(reply, mustExist(await service.read(id, undefined, closing, caller)), bases);
    }
    const asked = waitMs(request.headers);
    const abort = new AbortController();
    const stop = (): void => abort.abort();
    reply.raw.once('close', stop);
    stops.add(stop);
    // Who finds no place waits by coming back: clients pace themselves when nothing changed.
    const peer = caller.isTrusted ? undefined : peerKey(request.socket.remoteAddress ?? '');
    const isPeerIn = peer === undefined || peers.tryEnter(peer);
    const hasPlace = isPeerIn && waiting.tryEnter();
    try {
      const wait = { ifNoneMatch: entityTag(ifNoneMatch), waitMs: hasPlace && !closing.aborted ? asked : 0 };
      const view = await service.read(id, wait, abort.signal, caller);
      // The peer compares this with what it sent, quotes included.
      return view === undefined ? reply.code(304).header('etag', ifNoneMatch).send() : sendView(reply, view, bases);
    } finally {
      if (hasPlace) waiting.leave();
      if (isPeerIn && peer !== undefined) peers.leave(peer);
      stops.delete(stop);
      reply.raw.removeListener('close', stop);
    }
  };
}

/** The order of conditions is that of protocol §1.5: an unknown or moved transaction is reported before a mistake in the entity. */
async function update(
  { service, closing }: RouteContext,
  request: FastifyRequest<{ Params: IdParams }>,
  entity: Buffer,
): Promise<TransactionView> {
  const { id } = request.params;
  const caller = callerOf(request);
  if (!JSON_MEDIA_TYPE.test(request.headers['content-type'] ?? '')) {
    throw new RequestProblem(400, 'the content-type of an update is application/json');
  }
  try {
    const ask = readUpdate(entity);
    const ifMatch = request.headers['if-match'];
    if (ifMatch === undefined) throw new RequestProblem(400, 'etags required for update');
    checkClaims(caller, ask);
    return await service.update(id, ask, entityTag(ifMatch), caller);
  } catch (error) {
    if (error instanceof RequestProblem && (error.status === 400 || error.status === 403)) {
      await service.read(id, undefined, closing, caller);
    }
    throw error;
  }
}

function sendView(reply: FastifyReply, view: TransactionView, bases: BaseUris): FastifyReply {
  return reply
    .headers({ 'content-type': 'application/json', etag: String(view.version), [DSN_HEADER]: dsnHeader(view.state) })
    .send(Buffer.from(JSON.stringify(viewToJson(view, bases))));
}

function entityOf(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : NOTHING;
}

/** Strips `W/` and one layer of quotes. */
function entityTag(header: string): string {
  return /^(?:W\/)?"(.*)"$/.exec(header)?.[1] ?? header;
}

function waitMs(headers: IncomingHttpHeaders): number {
  const header = headers['request-timeout'];
  if (header === undefined) return limits.hangingGetMs;
  if (!/^\d{1,9}$/.test(String(header))) throw new RequestProblem(400, 'invalid request-timeout header');
  return Math.min(Number(header) * 1000, limits.hangingGetMs);
}

function mustExist(view: TransactionView | undefined): TransactionView {
  if (view === undefined) throw new RequestProblem(404, 'unknown tx');
  return view;
}
