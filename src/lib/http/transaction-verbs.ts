/**
 * What can be asked of transactions (protocol §1.2 to §1.7), for whatever brought the request: the framework, or a connection on which requests
 * come as frames. Headers and entities in, calls of the service, answers out. A request that cannot be granted is a thrown problem.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isAllAnswered } from '../core/await-answers.ts';
import type { Gate, GateRequest } from './admission.ts';
import { checkClaims, checkSender } from './authorize.ts';
import { type Caller, callerOf } from './caller.ts';
import { readPreferences } from './prefer.ts';
import { progressHeader } from './problem-reply.ts';
import { type Answering, sendCreated, sendProgress, sendView, sendViewAfterUpload } from './send-view.ts';
import { RequestProblem, type TransactionService, type TransactionView, type UploadAsk } from './service.ts';
import type { WaitingReply, WaitingRoom } from './waiting-room.ts';
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

/** A request, with its entity as a `Buffer` unless it is an upload. */
export interface VerbRequest extends GateRequest {
  readonly headers: IncomingHttpHeaders;
  body: unknown;
}

export type VerbReply = Answering & WaitingReply;

/** A request and its answer, and the gate through which it came. */
export interface Asked<R extends VerbReply = VerbReply> {
  readonly request: VerbRequest;
  readonly reply: R;
  readonly gate: Gate;
}

const NOTHING = Buffer.alloc(0);
const JSON_MEDIA_TYPE = /^application\/json[ \t]*(;|$)/i;

/** POST: a new transaction. */
export function create<R extends VerbReply>(context: RouteContext, asked: Asked<R>, sender: string): Promise<R> {
  const { request, reply } = asked;
  const caller = callerOf(request);
  checkSender(caller, sender);
  const ask = readCreate(entityOf(request));
  // Who waits for the replies keeps the request, and need not keep the message in it.
  request.body = undefined;
  checkClaims(caller, ask);
  return context.service.create(sender, ask, caller).then((view) => {
    const shown = settled(context, asked, view);
    if (!(shown instanceof Promise)) return sendCreated(reply, shown, context.bases);
    return shown.then((answered) => sendCreated(reply, answered, context.bases));
  });
}

/** PATCH: more of the envelope, or a sign of life. */
export async function update<R extends VerbReply>(context: RouteContext, asked: Asked<R>, id: string): Promise<R> {
  const { service, bases } = context;
  const { request, reply } = asked;
  const entity = entityOf(request);
  if (entity.length === 0) return sendView(reply, await service.heartbeat(id, callerOf(request)), bases);
  const view = await add(context, request, id, entity);
  return sendView(reply, await settled(context, asked, view), bases);
}

/** PUT: bytes of the message, or of a part. */
export async function upload<R extends VerbReply>(
  context: RouteContext,
  asked: Asked<R>,
  { id, blob, ask }: { readonly id: string; readonly blob?: string | undefined; readonly ask: UploadAsk },
): Promise<R> {
  const { service, bases, closing } = context;
  const { request, reply } = asked;
  const caller = callerOf(request);
  const progress = progressHeader(await service.upload(id, blob, ask, caller));
  const { isViewWanted, waitMs } = readPreferences(request.headers.prefer);
  if (!isViewWanted) return sendProgress(reply, progress);
  const view =
    (await waited(context, asked, id, waitMs)) ?? mustExist(await service.read(id, undefined, closing, caller));
  return sendViewAfterUpload(reply, view, bases, progress);
}

export function mustExist(view: TransactionView | undefined): TransactionView {
  if (view === undefined) throw new RequestProblem(404, 'unknown tx');
  return view;
}

/** Strips `W/` and one layer of quotes. */
export function entityTag(header: string): string {
  return /^(?:W\/)?"(.*)"$/.exec(header)?.[1] ?? header;
}

/** The transaction, at once or with the replies to what was asked if the client prefers to wait for them (RFC 7240). */
function settled(
  context: RouteContext,
  asked: Asked,
  view: TransactionView,
): TransactionView | Promise<TransactionView> {
  const { waitMs } = readPreferences(asked.request.headers.prefer);
  if (isAllAnswered(view.state)) return view;
  return waited(context, asked, view.id, waitMs) ?? view;
}

/** The transaction with its replies; `undefined` when the client would not wait for them, or there is no place to wait. */
function waited(
  { service, room }: RouteContext,
  { gate, request, reply }: Asked,
  id: string,
  waitMs: number,
): Promise<TransactionView> | undefined {
  const seat = waitMs === 0 ? undefined : room.enter(request, reply);
  if (seat === undefined) return undefined;
  gate.leave(request);
  return service.settle(id, { waitMs, stop: seat.stop }, callerOf(request)).then(
    (view) => {
      seat.leave();
      return view;
    },
    (error: unknown) => {
      seat.leave();
      throw error;
    },
  );
}

/** The order of conditions is that of protocol §1.5: an unknown or moved transaction is reported before a mistake in the entity. */
async function add(
  { service, closing }: RouteContext,
  request: VerbRequest,
  id: string,
  entity: Buffer,
): Promise<TransactionView> {
  const caller: Caller = callerOf(request);
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

function entityOf({ body }: VerbRequest): Buffer {
  return Buffer.isBuffer(body) ? body : NOTHING;
}
