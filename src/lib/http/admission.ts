/**
 * What every request passes before its entity is read: who is calling, and whether there is room. Beyond a bound a client is told when to come
 * back; nobody is kept waiting at the door, but for that of a process that has just started. Trusted callers speak for many clients, so only the bound of
 * all counts for them.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Admission } from '../core/admission.ts';
import { KeyedGate } from '../core/keyed-gate.ts';
import { limits } from '../core/limits.ts';
import { peerKey } from '../core/peer-key.ts';
import type { Access } from './access.ts';
import { type Called, type Caller, callerOf, itself } from './caller.ts';
import { InflightGate } from './inflight-gate.ts';
import type { Opening } from './opening.ts';
import { RequestProblem } from './service.ts';
import { discardRest } from './upload-request.ts';

/** Answered to anybody: that a process lives is no secret, and who asks is often not able to carry a token. */
const OPEN_ROUTES: readonly (string | undefined)[] = ['/livez', '/readyz'];

const anybody: Caller = { name: 'anybody', senders: new Set(), isTrusted: false, isOperator: false };

declare module 'fastify' {
  interface FastifyRequest {
    /** It is counted as one at work. */
    isAtWork: boolean;
    /** The client address it is counted for, unless the caller is trusted. */
    countedFor: string | undefined;
  }
}

/** Finds out for each request of the server who is calling; without `access`, everybody is let in. */
export function addAccess(app: FastifyInstance, access: Access | undefined): void {
  // Every request has the same keys from the start: an engine is quick with objects of one shape only.
  app.decorateRequest('caller', undefined);
  app.decorateRequest('isAtWork', false);
  app.decorateRequest('countedFor', undefined);
  app.addHook('onRequest', (request, _reply, done) => {
    try {
      const isOpen = OPEN_ROUTES.includes(request.routeOptions.url);
      request.caller = isOpen ? anybody : (access?.identify(request) ?? itself);
    } catch (error) {
      refuse(request, error, done);
      return;
    }
    done();
  });
}

/** Requests of one peer at the same time, over all routes of a server. */
export function peerGate(max: number): KeyedGate {
  return new KeyedGate(max);
}

/** A request as a gate counts it, whatever brought it. */
export interface GateRequest extends Called {
  readonly socket: { readonly remoteAddress?: string | undefined };
  isAtWork: boolean;
  countedFor: string | undefined;
}

/** The requests that are at work. */
export interface Gate {
  /** Counts a request; throws a `RequestProblem` 429 or 503 when there is no room for it. */
  enter(request: GateRequest, isCreate: boolean): void;
  /** A request is at work no more: it is answered, or it only waits. Idempotent. */
  leave(request: GateRequest): void;
}

/** A gate for `max` requests. */
export function makeGate(max: number, peers: KeyedGate, admission: Admission): Gate {
  const all = new InflightGate(max);
  const gates = { all, peers, admission };
  const leave = (request: GateRequest): void => {
    if (!request.isAtWork) return;
    request.isAtWork = false;
    all.leave();
    if (request.countedFor !== undefined) peers.leave(request.countedFor);
  };
  return { enter: (request, isCreate) => enter(request, isCreate, gates), leave };
}

/** Counts the requests of a scope, those that wait for the opening, too; a hanging GET is counted where it waits. */
export function addGate(scope: FastifyInstance, gate: Gate, opening?: Opening): void {
  scope.addHook('onRequest', (request, reply, done) => {
    try {
      const isHanging = request.method === 'GET' && request.headers['if-none-match'] !== undefined;
      if (!isHanging) {
        gate.enter(request, isCreate(request));
        // The framework's `onResponse` is not for those who go away before they are answered.
        reply.raw.once('close', () => gate.leave(request));
      }
    } catch (error) {
      refuse(request, error, done);
      return;
    }
    if (opening === undefined || opening.isOpen) done();
    else
      opening.wait().then(
        () => done(),
        (error: unknown) => refuse(request, error, done),
      );
  });
}

interface Gates {
  readonly all: InflightGate;
  readonly peers: KeyedGate;
  readonly admission: Admission;
}

function enter(request: GateRequest, isCreate: boolean, { all, peers, admission }: Gates): void {
  if (admission.overload !== undefined && isCreate) throw tooBusy(admission);
  const key = callerOf(request).isTrusted ? undefined : peerKey(request.socket.remoteAddress ?? '');
  if (key !== undefined && !peers.tryEnter(key)) {
    admission.refused('create', 'peer');
    throw tooMany('too many requests at work for this address');
  }
  try {
    all.enter();
  } catch (error) {
    admission.refused('create', 'places');
    if (key !== undefined) peers.leave(key);
    throw error;
  }
  request.isAtWork = true;
  request.countedFor = key;
}

/** What is begun may go on: only who wants something new is asked to come back. */
function isCreate({ method, routeOptions }: FastifyRequest): boolean {
  return method === 'POST' && routeOptions.url?.endsWith('/transactions') === true;
}

function tooBusy(admission: Admission): RequestProblem {
  admission.refused('create', admission.overload ?? 'places');
  const headers = { 'retry-after': String(limits.overloadRetryAfterSeconds) };
  return new RequestProblem(503, 'there is too much to do, try again later', { headers });
}

/** RFC 6585 §4. */
export function tooMany(detail: string): RequestProblem {
  return new RequestProblem(429, `${detail}, try again`, { headers: { 'retry-after': '1' } });
}

/** What is refused here has its entity still in the socket: it is read and dropped, up to a limit, so that the client hears why. */
function refuse(request: FastifyRequest, error: unknown, done: (error: Error) => void): void {
  discardRest(request.raw);
  done(error as Error);
}
