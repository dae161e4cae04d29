/** The routes of transactions (protocol §1.2 to §1.7): headers and entities in, calls of the service, JSON and headers out. */
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isAllAnswered } from '../core/await-answers.ts';
import { limits } from '../core/limits.ts';
import type { Gate } from './admission.ts';
import { checkClaims, checkSender } from './authorize.ts';
import { callerOf } from './caller.ts';
import { routeDocs } from './open-api.ts';
import { readPreferences } from './prefer.ts';
import { progressHeader } from './problem-reply.ts';
import { sendCreated, sendProgress, sendView, sendViewAfterUpload } from './send-view.ts';
import { RequestProblem, type TransactionService, type TransactionView } from './service.ts';
import { discardRest, readUpload } from './upload-request.ts';
import type { WaitingRoom } from './waiting-room.ts';
import { readCreate, readUpdate } from './wire-request.ts';
import type { BaseUris } from './wire-view.ts';

export interface RouteContext {
  readonly service: TransactionService;
  readonly bases: BaseUris;
  readonly blobBytesMax: number;
  readonly room: WaitingRoom;
  /** Aborts when the server closes. */
  readonly closing: AbortSignal;
}

type IdParams = { readonly id: string };

const NOTHING = Buffer.alloc(0);
const JSON_MEDIA_TYPE = /^application\/json[ \t]*(;|$)/i;

/** Create, read, update and cancel; the entity of each arrives as a `Buffer`. */
export function addTransactionRoutes(app: FastifyInstance, context: RouteContext, gate: Gate): void {
  const { service, bases } = context;
  app.post<{ Params: { readonly sender: string } }>(
    '/senders/:sender/transactions',
    { schema: routeDocs.create },
    (request, reply) => {
      const caller = callerOf(request);
      checkSender(caller, request.params.sender);
      const ask = readCreate(entityOf(request));
      // Who waits for the replies keeps the request, and need not keep the message in it.
      request.body = undefined;
      checkClaims(caller, ask);
      return service.create(request.params.sender, ask, caller).then((view) => {
        const shown = settled(context, gate, request, reply, view);
        if (!(shown instanceof Promise)) return sendCreated(reply, shown, bases);
        return shown.then((answered) => sendCreated(reply, answered, bases));
      });
    },
  );
  app.get<{ Params: IdParams }>('/transactions/:id', { schema: routeDocs.read }, readRoute(context));
  app.patch<{ Params: IdParams }>('/transactions/:id', { schema: routeDocs.update }, async (request, reply) => {
    const entity = entityOf(request);
    if (entity.length === 0) {
      return sendView(reply, await service.heartbeat(request.params.id, callerOf(request)), bases);
    }
    const view = await update(context, request, entity);
    return sendView(reply, await settled(context, gate, request, reply, view), bases);
  });
  app.post<{ Params: IdParams }>('/transactions/:id/cancel', { schema: routeDocs.cancel }, async (request, reply) => {
    await service.cancel(request.params.id, callerOf(request));
    return reply.code(200).send(NOTHING);
  });
}

/** Uploads; the entity is left in the raw request. */
export function addUploadRoutes(app: FastifyInstance, context: RouteContext, gate: Gate): void {
  const { service, bases, closing } = context;
  const upload = async (request: FastifyRequest, reply: FastifyReply, id: string, blob?: string) => {
    try {
      const caller = callerOf(request);
      const ask = readUpload(request.raw, context.blobBytesMax);
      const progress = progressHeader(await service.upload(id, blob, ask, caller));
      if (!readPreferences(request.headers.prefer).isViewWanted) return sendProgress(reply, progress);
      const view = mustExist(await service.read(id, undefined, closing, caller));
      return sendViewAfterUpload(reply, await settled(context, gate, request, reply, view), bases, progress);
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

/** The transaction, at once or with the replies to what was asked if the client prefers to wait for them (RFC 7240). */
function settled(
  { service, room }: RouteContext,
  gate: Gate,
  request: FastifyRequest,
  reply: FastifyReply,
  view: TransactionView,
): TransactionView | Promise<TransactionView> {
  const { waitMs } = readPreferences(request.headers.prefer);
  if (waitMs === 0 || isAllAnswered(view.state)) return view;
  const seat = room.enter(request, reply);
  if (seat === undefined) return view;
  gate.leave(request);
  const settling = service.settle(view.id, { waitMs, stop: seat.stop }, callerOf(request));
  return settling.finally(() => seat.leave());
}

function readRoute({ service, bases, closing, room }: RouteContext) {
  return async (request: FastifyRequest<{ Params: IdParams }>, reply: FastifyReply): Promise<FastifyReply> => {
    const { id } = request.params;
    const caller = callerOf(request);
    const ifNoneMatch = request.headers['if-none-match'];
    if (ifNoneMatch === undefined) {
      return sendView(reply, mustExist(await service.read(id, undefined, closing, caller)), bases);
    }
    const asked = waitMs(request.headers);
    // Who finds no place waits by coming back: clients pace themselves when nothing changed.
    const seat = room.enter(request, reply);
    const abort = new AbortController();
    seat?.stop.listen(() => abort.abort(GONE));
    try {
      const wait = { ifNoneMatch: entityTag(ifNoneMatch), waitMs: seat === undefined ? 0 : asked };
      const view = await service.read(id, wait, abort.signal, caller);
      // The peer compares this with what it sent, quotes included.
      return view === undefined ? reply.code(304).header('etag', ifNoneMatch).send() : sendView(reply, view, bases);
    } finally {
      seat?.leave();
    }
  };
}

/** A reason that exists already: without one, each abort makes an exception with a stack. */
const GONE = 'the client is gone, or the server closes';

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
