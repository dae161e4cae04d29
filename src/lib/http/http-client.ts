/**
 * The connections to REST peers: for each origin one pool for short requests and one for hanging GETs, because a held request occupies
 * its connection. Shared by every hop of a process, and closed once, by its owner.
 */
import { readFileSync } from 'node:fs';
import { type Dispatcher, Pool } from 'undici';
import { exitCodes, UserError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';

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

/** Reads the `verify` of a configuration: `true`, `false`, or the path of a CA file. Throws `UserError` when the file cannot be read. */
export function readTrust(verify: boolean | string): boolean | { readonly ca: string } {
  if (typeof verify === 'boolean') return verify;
  try {
    return { ca: readFileSync(verify, 'utf8') };
  } catch (error) {
    throw new UserError(`cannot read the CA file ${verify}: ${(error as Error).message}`, exitCodes.config);
  }
}

export class HttpClient {
  readonly #pools = new Map<string, Pool>();
  #isClosed = false;

  /** The pool for an origin; made when first asked for. */
  pool(origin: string, trust: Trust, use: PoolUse): Dispatcher {
    if (this.#isClosed) throw new Error('the HTTP client is closed');
    const { verify = true, ca, identity } = typeof trust === 'boolean' ? { verify: trust } : (trust as PeerTrust);
    const key = JSON.stringify([use, origin, verify, ca, identity]);
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    this.#makeRoom();
    const pool = new Pool(origin, {
      connections: use === 'poll' ? limits.httpPollConnections : limits.httpConnections,
      // Every request carries a deadline of the clock as its signal: a second timer would only race with it.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { rejectUnauthorized: verify, ...(ca !== undefined && { ca }), ...identity },
    });
    this.#pools.set(key, pool);
    return pool;
  }

  /** Waits for the requests in flight, then closes all connections; with `signal` aborted, at once. Idempotent. */
  async close(signal?: AbortSignal): Promise<void> {
    this.#isClosed = true;
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    const destroy = (): void => {
      for (const pool of pools) void pool.destroy();
    };
    if (signal?.aborted) destroy();
    else signal?.addEventListener('abort', destroy, { once: true });
    await Promise.all(pools.map((pool) => (pool.closed || pool.destroyed ? undefined : pool.close())));
    signal?.removeEventListener('abort', destroy);
  }

  #makeRoom(): void {
    if (this.#pools.size < 2 * limits.httpOrigins) return;
    const [key, oldest] = this.#pools.entries().next().value as [string, Pool];
    this.#pools.delete(key);
    void oldest.close();
  }
}
