/**
 * The connections to REST peers: for each origin one pool for short requests and one for hanging GETs, because a held request occupies
 * its connection. Shared by every hop of a process, and closed once, by its owner.
 */
import { readFileSync } from 'node:fs';
import { Pool } from 'undici';
import { exitCodes, UserError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { collectAnswer } from './collect-answer.ts';
import { FRAMES, FRAMES_HEADER } from './frame.ts';
import { FrameLine } from './frame-line.ts';
import type { HttpSender, SentAnswer, SentRequest } from './request.ts';

/** How a server's certificate is judged (by the system's authorities, or not at all), or more than that. */
export type Trust = boolean | PeerTrust;

/** What is between us and one peer. */
export interface PeerTrust {
  /** Defaults to true. */
  readonly verify?: boolean;
  /** The authority (PEM) that has signed the server's certificate. */
  readonly ca?: string;
  /** Our own certificate and key (PEM). */
  readonly identity?: { readonly cert: string; readonly key: string };
  /** The bearer token of this moment. It goes wherever the peer sends us with the message, for replicas share their tokens. */
  readonly token?: () => string;
  /** It was given for an https endpoint, and is never sent in the clear. */
  readonly isTokenForTlsOnly?: boolean;
}

/** What a connection is used for. */
export type PoolUse = 'short' | 'poll';

const VERIFIED: PeerTrust = { verify: true };
const UNVERIFIED: PeerTrust = { verify: false };

/** Reads the `verify` of a configuration: `true`, `false`, or the path of a CA file. Throws `UserError` when the file cannot be read. */
export function readTrust(verify: boolean | string): boolean | { readonly ca: string } {
  if (typeof verify === 'boolean') return verify;
  try {
    return { ca: readFileSync(verify, 'utf8') };
  } catch (error) {
    throw new UserError(`cannot read the CA file ${verify}: ${(error as Error).message}`, exitCodes.config);
  }
}

/** A pool as requests see it. */
interface Requests {
  request(ask: SentRequest): Promise<SentAnswer>;
}

/** The ways to one peer. */
interface Connections {
  readonly pool: Pool;
  readonly line: FrameLine;
}

export class HttpClient implements HttpSender {
  readonly #pools = new Map<string, Connections>();
  /** The same by what a request has at hand: to say a trust in words costs as much as to find out that nothing has changed. */
  #known = new WeakMap<PeerTrust, Map<string, Requests>>();
  #isClosed = false;

  /** The pool for an origin; made when first asked for. */
  pool(origin: string, trust: Trust, use: PoolUse): Requests {
    if (this.#isClosed) throw new Error('the HTTP client is closed');
    const who = typeof trust === 'boolean' ? (trust ? VERIFIED : UNVERIFIED) : (trust as PeerTrust);
    let known = this.#known.get(who);
    if (known === undefined) {
      known = new Map();
      this.#known.set(who, known);
    }
    const key = use === 'poll' ? `poll ${origin}` : origin;
    const before = known.get(key);
    if (before !== undefined) return before;
    const { pool, line } = this.#pool(origin, who, use);
    const requests: Requests = {
      request: (ask) => (line.takes(ask) ? line.request(ask) : offered(line, ask, collectAnswer(pool, ask))),
    };
    known.set(key, requests);
    return requests;
  }

  #pool(origin: string, { verify = true, ca, identity }: PeerTrust, use: PoolUse): Connections {
    const keyOf = (which: PoolUse): string => JSON.stringify([which, origin, verify, ca, identity]);
    const key = keyOf(use);
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    this.#makeRoom();
    const pool = new Pool(origin, {
      connections: use === 'poll' ? limits.httpPollConnections : limits.httpConnections,
      // Every request carries a deadline of the clock: a second timer would only race with it.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { rejectUnauthorized: verify, ...(ca !== undefined && { ca }), ...identity },
    });
    const beside = this.#pools.get(keyOf(use === 'poll' ? 'short' : 'poll'));
    const made = { pool, line: beside?.line ?? new FrameLine(pool, origin) };
    this.#pools.set(key, made);
    return made;
  }

  /** Waits for the requests in flight, then closes all connections; with `signal` aborted, at once. Idempotent. */
  async close(signal?: AbortSignal): Promise<void> {
    this.#isClosed = true;
    const all = [...this.#pools.values()];
    this.#pools.clear();
    const destroy = (): void => {
      for (const { pool, line } of all) {
        line.destroy();
        void pool.destroy();
      }
    };
    if (signal?.aborted) destroy();
    else signal?.addEventListener('abort', destroy, { once: true });
    await Promise.all(all.map(closed));
    signal?.removeEventListener('abort', destroy);
  }

  #makeRoom(): void {
    if (this.#pools.size < 2 * limits.httpOrigins) return;
    const [key, oldest] = this.#pools.entries().next().value as [string, Connections];
    this.#pools.delete(key);
    this.#known = new WeakMap();
    void closed(oldest);
  }
}

async function closed({ pool, line }: Connections): Promise<void> {
  await line.close();
  if (!pool.closed && !pool.destroyed) await pool.close();
}

/**
 * An answer that came by itself may say that others can come as frames. Not through a balancer, though, where all of them would go to one of the
 * servers behind it: a server that names another place for a transaction than the one that was asked may stand behind one.
 */
async function offered(line: FrameLine, ask: SentRequest, coming: Promise<SentAnswer>): Promise<SentAnswer> {
  const answer = await coming;
  const { [FRAMES_HEADER]: frames, location } = answer.headers;
  if (frames === FRAMES && (location === undefined || location.startsWith(`${line.origin}/`))) line.offer(ask.headers);
  return answer;
}
