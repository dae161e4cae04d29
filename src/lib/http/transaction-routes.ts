/** The routes of transactions (protocol §1.2 to §1.7) in the framework; what they do is in `transaction-verbs`. */
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { limits } from '../core/limits.ts';
import type { Gate } from './admission.ts';
import { callerOf } from './caller.ts';
import { routeDocs } from './open-api.ts';
import { sendView } from './send-view.ts';
import { RequestProblem } from './service.ts';
import { create, entityTag, mustExist, type RouteContext, update, upload } from './transaction-verbs.ts';
import { discardRest, readUpload } from './upload-request.ts';

type IdParams = { readonly id: string };

const NOTHING = Buffer.alloc(0);

/** Create, read, update and cancel; the entity of each arrives as a `Buffer`. */
export function addTransactionRoutes(app: FastifyInstance, context: RouteContext, gate: Gate): void {
  const { service } = context;
  app.post<{ Params: { readonly sender: string } }>(
    '/senders/:sender/transactions',
    { schema: routeDocs.create },
    (request, reply) => create(context, { request, reply, gate }, request.params.sender),
  );
  app.get<{ Params: IdParams }>('/transactions/:id', { schema: routeDocs.read }, readRoute(context));
  app.patch<{ Params: IdParams }>('/transactions/:id', { schema: routeDocs.update }, (request, reply) =>
    update(context, { request, reply, gate }, request.params.id),
  );
  app.post<{ Params: IdParams }>('/transactions/:id/cancel', { schema: routeDocs.cancel }, async (request, reply) => {
    await service.cancel(request.params.id, callerOf(request));
    return reply.code(200).send(NOTHING);
  });
}

/** Uploads; the entity is left in the raw request. */
export function addUploadRoutes(app: FastifyInstance, context: RouteContext, gate: Gate): void {
  const put = async (request: FastifyRequest, reply: FastifyReply, id: string, blob?: string) => {
    try {
      const ask = readUpload(request.raw, context.blobBytesMax);
      return await upload(context, { request, reply, gate }, { id, blob, ask });
    } finally {
      discardRest(request.raw);
    }
  };
  app.put<{ Params: IdParams }>('/transactions/:id/body', { schema: routeDocs.body }, (request, reply) =>
    put(request, reply, request.params.id),
  );
  app.put<{ Params: IdParams & { readonly blob: string } }>(
    '/transactions/:id/blob/:blob',
    { schema: routeDocs.blob },
    (request, reply) => put(request, reply, request.params.id, request.params.blob),
  );
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

function waitMs(headers: IncomingHttpHeaders): number {
  const header = headers['request-timeout'];
  if (header === undefined) return limits.hangingGetMs;
  if (!/^\d{1,9}$/.test(String(header))) throw new RequestProblem(400, 'invalid request-timeout header');
  return Math.min(Number(header) * 1000, limits.hangingGetMs);
}
