/**
 * Where requests wait for something to happen at their transaction: hanging GETs, and answers that a client prefers to be late (RFC 7240
 * `wait`). They cost next to nothing, so there may be many more of them than requests at work; who finds no place is answered at once and
 * comes back. A client that goes away, or a server that closes, ends the wait.
 */
import { KeyedGate } from '../core/keyed-gate.ts';
import { limits } from '../core/limits.ts';
import { peerKey } from '../core/peer-key.ts';
import { Stop } from '../core/stop.ts';
import { TransientMap } from '../core/transient-map.ts';
import { type Called, callerOf } from './caller.ts';
import { InflightGate } from './inflight-gate.ts';

/** A request that may wait; what it asks of `socket` is the address of its client. */
export interface WaitingRequest extends Called {
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** Says when its client is gone. */
export interface WaitingReply {
  readonly raw: {
    once(event: 'close', listener: () => void): unknown;
    removeListener(event: 'close', listener: () => void): unknown;
  };
}

/** A place in the room. */
export interface Seat {
  /** Pulled when the wait is to end. */
  readonly stop: Stop;
  /** Gives the place back; once. */
  leave(): void;
}

export class WaitingRoom {
  readonly #all = new InflightGate(limits.hangingGets);
  readonly #peers = new KeyedGate(limits.hangingGetsPerPeer);
  readonly #stops = new TransientMap<number, Stop>();
  #seats = 0;
  #isClosed = false;

  /** Takes a place for a request; `undefined` when there is none. */
  enter(request: WaitingRequest, reply: WaitingReply): Seat | undefined {
    if (this.#isClosed) return undefined;
    const peer = callerOf(request).isTrusted ? undefined : peerKey(request.socket.remoteAddress ?? '');
    if (peer !== undefined && !this.#peers.tryEnter(peer)) return undefined;
    if (!this.#all.tryEnter()) {
      if (peer !== undefined) this.#peers.leave(peer);
      return undefined;
    }
    const stop = new Stop();
    const gone = (): void => stop.pull();
    reply.raw.once('close', gone);
    this.#seats += 1;
    const seat = this.#seats;
    this.#stops.set(seat, stop);
    return {
      stop,
      leave: () => {
        this.#all.leave();
        if (peer !== undefined) this.#peers.leave(peer);
        this.#stops.delete(seat);
        reply.raw.removeListener('close', gone);
      },
    };
  }

  /** Ends all waits; nobody waits after that. */
  close(): void {
    this.#isClosed = true;
    for (const stop of this.#stops.values()) stop.pull();
  }
}
