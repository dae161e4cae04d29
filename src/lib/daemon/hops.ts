/** Finds the next hop for a create URL: a call when the URL is a listener of this process, HTTP otherwise. */

import { isOwnUrl, senderInUrl } from '../config/own-url.ts';
import type { RestListenerConfig } from '../config/router-config.ts';
import type { Deps } from '../core/deps.ts';
import type { Hop, HopAsk, HopOptions, HopResolver } from '../core/hop.ts';
import type { HttpClient } from '../http/http-client.ts';
import { httpHop } from '../http/http-hop.ts';

/** A half of Koukan that runs in this process. */
export interface LocalHalf {
  readonly listener: RestListenerConfig;
  readonly hop: () => Hop;
  /** Whether it takes this by a call; what it does not goes over HTTP even to ourselves. */
  readonly takes: (ask: HopAsk) => boolean;
}

export class Hops {
  readonly #deps: Deps;
  readonly #client: HttpClient;
  readonly #locals: LocalHalf[] = [];
  readonly #known = new Map<string, Hop>();

  constructor(deps: Deps, client: HttpClient) {
    this.#deps = deps;
    this.#client = client;
  }

  /** From now on, URLs of this half are calls. */
  join(half: LocalHalf): void {
    this.#locals.push(half);
  }

  readonly resolve: HopResolver = (endpoint, options = {}) => this.find(endpoint, options);

  find(endpoint: string, options: HopOptions): Hop {
    const key = JSON.stringify([endpoint, options]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const hop = this.#make(endpoint, options);
    this.#known.set(key, hop);
    return hop;
  }

  #make(endpoint: string, options: HopOptions): Hop {
    const half = this.#locals.find(({ listener }) => isOwnUrl(endpoint, listener));
    const overHttp = httpHop({ endpoint, client: this.#client, deps: this.#deps, ...options });
    if (half === undefined) return overHttp;
    const sender = senderInUrl(endpoint);
    return {
      get offersDsn() {
        return half.hop().offersDsn;
      },
      open: (asked) => {
        const ask = sender === undefined || sender === asked.sender ? asked : { ...asked, sender };
        return (half.takes(ask) ? half.hop() : overHttp).open(ask);
      },
    };
  }
}
