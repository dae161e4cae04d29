/** The HTTP of a receiver (column V of protocol §1.2): what a router calls to hand a message over. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ConflictError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { progressHeader } from '../http/problem-reply.ts';
import { RequestProblem } from '../http/service.ts';
import { discardRest, readUpload } from '../http/upload-request.ts';
import { transactionUri } from '../http/wire-view.ts';
import { readEnvelope, readJson } from './received-envelope.ts';
import type { ReceivedTransaction } from './received-transaction.ts';
import { receiverView } from './receiver-view.ts';

export interface ReceiverRoutes {
  /** Opens a transaction; throws `RequestProblem` 503 when there are too many. */
  readonly open: () => ReceivedTransaction;
  /** Finds a transaction and marks it used; throws `RequestProblem` 404. */
  readonly find: (id: string) => ReceivedTransaction;
  readonly bytesMax: number;
  /** Aborts when the receiver closes. */
  readonly closing: AbortSignal;
}

type IdRequest = FastifyRequest<{ Params: { readonly id: string } }>;
type PartRequest = FastifyRequest<{ Params: { readonly id: string; readonly part: string } }>;

/** Everything but uploads; entities arrive as a `Buffer`, whatever their content type. */
export function addReceiverRoutes(app: FastifyInstance, routes: ReceiverRoutes): void {
  app.post('/senders/:sender/transactions', async (request, reply) => {
    const json = readJson(entityOf(request));
    const said = readEnvelope(json);
    const tx = routes.open();
    await tx.say(json, said);
    reply.code(201).header('location', transactionUri(baseOf(request), tx.live.id));
    return sendView(request, reply, tx);
  });
  app.get('/transactions/:id', (request: IdRequest, reply) => read(routes, request, reply));
  app.patch('/transactions/:id', async (request: IdRequest, reply) => {
    const tx = routes.find(request.params.id);
    const entity = entityOf(request);
    if (entity.length > 0) {
      const json = readJson(entity);
      mustMatch(request, tx);
      await tx.say(json, readEnvelope(json));
    }
    return sendView(request, reply, tx);
  });
  const announce = async (request: IdRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const tx = routes.find(request.params.id);
    const json = readJson(entityOf(request));
    // Who says it again because the answer was lost cannot know the version that it led to.
    if (!tx.hasAnnounced(json)) {
      mustMatch(request, tx);
      tx.announce(json);
    }
    return sendView(request, reply, tx);
  };
  app.post('/transactions/:id/message_builder', announce);
  // Older descriptions of the protocol say PUT.
  app.put('/transactions/:id/message_builder', announce);
  app.post('/transactions/:id/cancel', async (request: IdRequest, reply) => {
    await routes.find(request.params.id).cancel();
    return reply.code(200).send(Buffer.alloc(0));
  });
}

/** Uploads; the entity stays in the raw request and is streamed to its file. */
export function addReceiverUploads(app: FastifyInstance, { find, bytesMax }: ReceiverRoutes): void {
  const upload = async (request: FastifyRequest, reply: FastifyReply, id: string, part?: string) => {
    try {
      const tx = find(id);
      const file = part === undefined ? tx.message : tx.parts.get(part);
      if (file === undefined) throw new RequestProblem(404, 'unknown blob');
      const ask = readUpload(request.raw, bytesMax);
      const header = progressHeader(await file.append({ ...ask, bytes: tx.inUse(ask.bytes) }));
      tx.progressed();
      await tx.linger();
      if (header !== undefined) reply.header('content-range', header);
      return reply.header('content-type', 'application/json').send(Buffer.from('{}'));
    } finally {
      discardRest(request.raw);
    }
  };
  app.put('/transactions/:id/body', (request: IdRequest, reply) => upload(request, reply, request.params.id));
  app.put('/transactions/:id/blob/:part', (request: PartRequest, reply) =>
    upload(request, reply, request.params.id, request.params.part),
  );
}

/** A GET hangs while nothing changes, at most as long as the router is patient, and not at all once everything is said. */
async function read(routes: ReceiverRoutes, request: IdRequest, reply: FastifyReply): Promise<FastifyReply> {
  const tx = routes.find(request.params.id);
  const ifNoneMatch = request.headers['if-none-match'];
  if (ifNoneMatch === undefined || entityTag(ifNoneMatch) !== String(tx.live.version)) {
    return sendView(request, reply, tx);
  }
  const patience = waitSeconds(request);
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  reply.raw.once('close', abort);
  routes.closing.addEventListener('abort', abort, { once: true });
  const { version } = tx.live;
  const timer = new AbortController();
  try {
    if (!tx.isOver && !routes.closing.aborted) {
      void tx.pause(patience * 1000, timer.signal).then(abort);
      await tx.live.until((_, now) => now !== version, stop.signal);
    }
  } finally {
    timer.abort();
    routes.closing.removeEventListener('abort', abort);
    reply.raw.removeListener('close', abort);
  }
  if (tx.live.version !== version) return sendView(request, reply, tx);
  // The router compares this with what it sent, quotes included.
  return reply.code(304).header('etag', ifNoneMatch).send();
}

function sendView(request: FastifyRequest, reply: FastifyReply, tx: ReceivedTransaction): FastifyReply {
  return reply
    .headers({ 'content-type': 'application/json', etag: String(tx.live.version) })
    .send(Buffer.from(JSON.stringify(receiverView(tx, baseOf(request)))));
}

/** Absolute URIs are made from the name under which we were called, so they work through port mappings. */
function baseOf(request: FastifyRequest): string {
  const { host } = request.headers;
  if (host !== undefined && /^[\w.:[\]-]+$/.test(host)) return `http://${host}`;
  const { localAddress, localPort } = request.socket;
  return `http://${localAddress?.includes(':') === true ? `[${localAddress}]` : localAddress}:${localPort}`;
}

/** A version that is not the newest one is refused. Whoever names none, as one does by hand, takes what comes. */
function mustMatch(request: FastifyRequest, tx: ReceivedTransaction): void {
  const ifMatch = request.headers['if-match'];
  if (ifMatch !== undefined && entityTag(ifMatch) !== String(tx.live.version))
    throw new ConflictError('update conflict');
}

function waitSeconds(request: FastifyRequest): number {
  const header = request.headers['request-timeout'];
  const longest = limits.hangingGetMs / 1000;
  if (header === undefined) return longest;
  if (!/^\d{1,9}$/.test(String(header))) throw new RequestProblem(400, 'invalid request-timeout header');
  return Math.min(Number(header), longest);
}

/** Strips `W/` and one layer of quotes. */
function entityTag(header: string): string {
  return /^(?:W\/)?"(.*)"$/.exec(header)?.[1] ?? header;
}

function entityOf(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
}
