/**
 * The requests that every message needs, straight from their frames: who calls, the gate, the verb, and the answer, as for any request, only
 * without the framework's way of getting there, which costs more than they do. Whatever is seldom or unusual is left to the framework.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock, Log } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { AccessRequest } from './access.ts';
import type { Gate } from './admission.ts';
import type { Caller } from './caller.ts';
import type { Frame } from './frame.ts';
import type { FrameResponse } from './frame-exchange.ts';
import type { Opening } from './opening.ts';
import { loggedRefusal, PROBLEM_TYPE, problemText } from './problem-reply.ts';
import type { RestHooks } from './server.ts';
import { type Asked, create, type RouteContext, update, upload, type VerbRequest } from './transaction-verbs.ts';

export interface FrameRoutesOptions {
  readonly context: RouteContext;
  /** Those of the framework's routes: a request counts as one, whichever way it comes. */
  readonly gates: { readonly transactions: Gate; readonly uploads: Gate };
  /** Who calls; throws a `RequestProblem` 401. */
  readonly identify: (request: AccessRequest) => Caller;
  readonly hooks: RestHooks;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Log;
  /** The largest entity but for uploads. */
  readonly jsonBytesMax: number;
  /** As long as it is not open, requests are left to the framework, where they wait. */
  readonly opening?: Opening;
}

interface Verb {
  readonly method: string;
  /** Its path; what is between the brackets is its parameter. Other characters than these would have to be decoded. */
  readonly pattern: RegExp;
  /** As the framework says it. */
  readonly route: string;
  readonly mediaType: string;
  readonly gate: keyof FrameRoutesOptions['gates'];
  run(context: RouteContext, asked: Asked<FrameResponse>, param: string, entity: Buffer): Promise<unknown>;
}

const PARAM = `([\\w.~-]{1,${limits.requestNameChars}})`;

const CREATE: Verb = {
  method: 'POST',
  pattern: new RegExp(`^/senders/${PARAM}/transactions$`),
  route: '/senders/:sender/transactions',
  mediaType: 'application/json',
  gate: 'transactions',
  run: (context, asked, sender) => create(context, asked, sender),
};
const UPDATE: Verb = {
  method: 'PATCH',
  pattern: new RegExp(`^/transactions/${PARAM}$`),
  route: '/transactions/:id',
  mediaType: 'application/json',
  gate: 'transactions',
  run: (context, asked, id) => update(context, asked, id),
};
const UPLOAD: Verb = {
  method: 'PUT',
  pattern: new RegExp(`^/transactions/${PARAM}/body$`),
  route: '/transactions/:id/body',
  mediaType: 'message/rfc822',
  gate: 'uploads',
  run: (context, asked, id, entity) => {
    const inMemory = byItself(entity);
    const ask = { offset: 0, total: entity.length, whole: true, bytes: inOnePiece(inMemory), inMemory };
    return upload(context, asked, { id, ask });
  },
};
const VERBS: ReadonlyMap<string, Verb> = new Map([CREATE, UPDATE, UPLOAD].map((verb) => [verb.method, verb]));

class FramedRequest implements VerbRequest {
  readonly headers: IncomingHttpHeaders;
  readonly socket: Socket;
  body: unknown;
  caller: Caller | undefined = undefined;
  isAtWork = false;
  countedFor: string | undefined = undefined;

  constructor(headers: IncomingHttpHeaders, socket: Socket, body: Buffer) {
    this.headers = headers;
    this.socket = socket;
    this.body = body;
  }
}

export class FrameRoutes {
  readonly #options: FrameRoutesOptions;

  constructor(options: FrameRoutesOptions) {
    this.#options = options;
  }

  /** Answers a request if it is one of these; `false` means that somebody else has to. */
  take({ headers, entity }: Frame, method: string, url: string, response: FrameResponse): boolean {
    const verb = VERBS.get(method);
    const param = verb?.pattern.exec(url)?.[1];
    if (verb === undefined || param === undefined || !this.#isUsual(verb, headers, entity)) return false;
    const { context, gates, identify, clock } = this.#options;
    const startedAt = clock.monotonicMs();
    const gate = gates[verb.gate];
    const request = new FramedRequest(headers, response.socket, entity);
    const over = (): void => {
      gate.leave(request);
      this.#tell(verb, response, startedAt);
    };
    const failed = (error: unknown): void => {
      this.#refuse(error, verb, url, response);
      over();
    };
    try {
      request.caller = identify(request);
      gate.enter(request, verb === CREATE);
      verb.run(context, { request, reply: response, gate }, param, entity).then(over, failed);
    } catch (error) {
      failed(error);
    }
    return true;
  }

  #isUsual(verb: Verb, headers: IncomingHttpHeaders, entity: Buffer): boolean {
    const { context, jsonBytesMax, opening } = this.#options;
    if (opening?.isOpen === false) return false;
    if (context.closing.aborted || headers['content-type'] !== verb.mediaType) return false;
    if (verb !== UPLOAD) return entity.length > 0 && entity.length <= jsonBytesMax;
    const isInRanges = headers['content-range'] !== undefined || headers['x-finalize-blob-length'] !== undefined;
    return !isInRanges && entity.length <= context.blobBytesMax;
  }

  #refuse(error: unknown, { method, route }: Verb, url: string, response: FrameResponse): void {
    const refusal = loggedRefusal(this.#options.log, error, { method, url, route });
    if (response.headersSent) return;
    response.writeHead(refusal.status, { ...refusal.headers, ...PROBLEM_TYPE });
    response.end(problemText(refusal));
  }

  #tell({ method, route }: Verb, { statusCode: status }: FrameResponse, startedAt: number): void {
    const { hooks, clock } = this.#options;
    hooks.onAnswer?.({ method, route, status, durationMs: clock.monotonicMs() - startedAt });
  }
}

/** Not with everything that was read together with it, if that is much more: a message may be kept for long. */
function byItself(entity: Buffer): Buffer {
  const isMostOfIt = entity.length * 2 >= entity.buffer.byteLength;
  return isMostOfIt ? entity : Buffer.from(entity);
}

function inOnePiece(bytes: Buffer): AsyncIterable<Buffer> {
  return {
    async *[Symbol.asyncIterator]() {
      if (bytes.length > 0) yield bytes;
    },
  };
}
