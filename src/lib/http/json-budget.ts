/**
 * How much JSON is read and parsed at the same time. Each request has a bound of its own, which says nothing of a thousand of them. What is small
 * is bounded by the number of requests at work; anything else is counted until it is dealt with, and who finds no room comes back. No single
 * address gets all of it, however slowly it sends.
 */
import type { IncomingMessage } from 'node:http';
import { type Readable, Transform, type TransformCallback } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Admission } from '../core/admission.ts';
import { limits } from '../core/limits.ts';
import { peerKey } from '../core/peer-key.ts';
import { tooMany } from './admission.ts';
import { callerOf } from './caller.ts';
import { RequestProblem } from './service.ts';
import { discardRest } from './upload-request.ts';

/** Of all, what one address gets that is not trusted. */
const PEER_PART = 4;

export interface JsonBudget {
  /** A request needs its room no more: it is answered, or it only waits. Idempotent. */
  leave(request: object): void;
}

/** Counts the entities of the requests of a scope whose routes read JSON, `limitBytes` all together. */
export function addJsonBudget(scope: FastifyInstance, limitBytes: number, admission: Admission): JsonBudget {
  const room = new Room(limitBytes, admission);
  scope.addHook('onRequest', (request, reply, done) => {
    try {
      room.grow(request, reply, Number(request.headers['content-length'] ?? 0));
    } catch (error) {
      discardRest(request.raw);
      done(error as Error);
      return;
    }
    done();
  });
  scope.addHook('preParsing', (request, reply, payload, done) => {
    if (request.headers['transfer-encoding'] === undefined) done(null, payload);
    else
      done(
        null,
        counted(request.raw, (length) => room.grow(request, reply, length)),
      );
  });
  return room;
}

interface Share {
  readonly peer: string | undefined;
  bytes: number;
}

class Room implements JsonBudget {
  readonly #limitBytes: number;
  readonly #admission: Admission;
  readonly #shares = new Map<object, Share>();
  readonly #peers = new Map<string, number>();
  #usedBytes = 0;

  constructor(limitBytes: number, admission: Admission) {
    this.#limitBytes = limitBytes;
    this.#admission = admission;
  }

  /** The entity of a request has this length, or has it by now; throws a `RequestProblem` 429 or 503 when there is no room for that. */
  grow(request: FastifyRequest, reply: FastifyReply, length: number): void {
    // Nearly always: as many of them as there are requests at work are no burden.
    if (!(length > limits.bodyUnaskedBytes)) return;
    const share = this.#shares.get(request) ?? this.#begin(request, reply);
    const more = length - share.bytes;
    const own = share.peer === undefined ? 0 : (this.#peers.get(share.peer) ?? 0) + more;
    if (own > this.#limitBytes / PEER_PART) {
      this.#admission.refused('create', 'peer');
      throw tooMany('too much JSON is being read for this address');
    }
    if (this.#usedBytes + more > this.#limitBytes) {
      this.#admission.refused('create', 'places');
      throw new RequestProblem(503, 'too much JSON is being read, try again', { headers: { 'retry-after': '1' } });
    }
    this.#usedBytes += more;
    if (share.peer !== undefined) this.#peers.set(share.peer, own);
    share.bytes = length;
  }

  #begin(request: FastifyRequest, reply: FastifyReply): Share {
    const share = { peer: peerOf(request), bytes: 0 };
    this.#shares.set(request, share);
    // Also when its client goes away before it is answered.
    reply.raw.once('close', () => this.leave(request));
    return share;
  }

  leave(request: object): void {
    const share = this.#shares.get(request);
    if (share === undefined) return;
    this.#shares.delete(request);
    this.#usedBytes -= share.bytes;
    if (share.peer === undefined) return;
    const left = (this.#peers.get(share.peer) ?? 0) - share.bytes;
    if (left > 0) this.#peers.set(share.peer, left);
    else this.#peers.delete(share.peer);
  }
}

/** Trusted callers speak for many, and are bounded by what there is. */
function peerOf(request: FastifyRequest): string | undefined {
  return callerOf(request).isTrusted ? undefined : peerKey(request.socket.remoteAddress ?? '');
}

/** The same entity, whose length was not said before; `onGrown` hears how long it is by now, and what it throws ends the stream. */
function counted(entity: IncomingMessage, onGrown: (length: number) => void): Readable {
  let length = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
      length += chunk.length;
      try {
        onGrown(length);
      } catch (error) {
        entity.unpipe(counter);
        discardRest(entity);
        done(error as Error);
        return;
      }
      done(null, chunk);
    },
  });
  entity.on('error', (error) => counter.destroy(error));
  return entity.pipe(counter);
}
