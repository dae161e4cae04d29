/**
 * What every request passes before its entity is read: who is calling, and whether there is room. Beyond a bound a client is told when to come
 * back; nobody is kept waiting at the door. Trusted callers speak for many clients, so only the bound of all counts for them.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { KeyedGate } from '../core/keyed-gate.ts';
import { peerKey } from '../core/peer-key.ts';
import type { Access } from './access.ts';
import { type Caller, callerOf, itself, setCaller } from './caller.ts';
import { InflightGate } from './inflight-gate.ts';
import { RequestProblem } from './service.ts';
import { discardRest } from './upload-request.ts';

/** Answered to anybody: that a process lives is no secret, and who asks is often not able to carry a token. */
const OPEN_ROUTES: readonly (string | undefined)[] = ['/livez', '/readyz'];

const anybody: Caller = { name: 'anybody', senders: new Set(), isTrusted: false, isOperator: false };

/** Finds out for each request of the server who is calling; without `access`, everybody is let in. */
export function addAccess(app: FastifyInstance, access: Access | undefined): void {
  app.addHook('onRequest', (request, _reply, done) => {
    refusing(request, done, () => {
      const isOpen = OPEN_ROUTES.includes(request.routeOptions.url);
      const who = isOpen ? anybody : (access?.identify({ headers: request.headers, socket: request.socket }) ?? itself);
      setCaller(request, who);
    });
  });
}

/** Requests of one peer at the same time, over all routes of a server. */
export function peerGate(max: number): KeyedGate {
  return new KeyedGate(max);
}

/** Counts the requests of a scope; a hanging GET is counted where it waits. */
export function addGate(scope: FastifyInstance, max: number, peers: KeyedGate): void {
  const all = new InflightGate(max);
  const inside = new WeakMap<FastifyRequest, () => void>();
  scope.addHook('onRequest', (request, _reply, done) => {
    refusing(request, done, () => {
      if (request.method === 'GET' && request.headers['if-none-match'] !== undefined) return;
      inside.set(request, enter(request, all, peers));
    });
  });
  scope.addHook('onResponse', (request, _reply, done) => {
    inside.get(request)?.();
    inside.delete(request);
    done();
  });
}

/** Takes a place; answers how to give it back. */
function enter(request: FastifyRequest, all: InflightGate, peers: KeyedGate): () => void {
  const key = callerOf(request).isTrusted ? undefined : peerKey(request.socket.remoteAddress ?? '');
  if (key !== undefined && !peers.tryEnter(key)) throw tooMany('too many requests at work for this address');
  try {
    all.enter();
  } catch (error) {
    if (key !== undefined) peers.leave(key);
    throw error;
  }
  return () => {
    all.leave();
    if (key !== undefined) peers.leave(key);
  };
}

/** RFC 6585 §4. */
export function tooMany(detail: string): RequestProblem {
  return new RequestProblem(429, `${detail}, try again`, { headers: { 'retry-after': '1' } });
}

/** What is refused here has its entity still in the socket: it is read and dropped, up to a limit, so that the client hears why. */
function refusing(request: FastifyRequest, done: (error?: Error) => void, step: () => void): void {
  try {
    step();
  } catch (error) {
    discardRest(request.raw);
    done(error as Error);
    return;
  }
  done();
}
