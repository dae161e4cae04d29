/** Whom Koukan is measured against, and for which scenario which of their ways to work is the right one. */
import { bare } from './bare.mjs';
import { haraka } from './haraka.mjs';
import { openssl } from './openssl.mjs';
import { postfix } from './postfix.mjs';

const peers = { postfix, haraka, bare, openssl };

export const peerNames = Object.keys(peers);

/** By what a scenario promises: cut-through against cut-through, a queue against a queue. */
const rightOne = {
  relay: { postfix: 'postfix-proxy', haraka: 'haraka-forward', bare: 'bare-cut' },
  stored: { postfix: 'postfix-queue', haraka: 'haraka-queue', bare: 'bare-store' },
  rest: { postfix: 'postfix-queue', haraka: 'haraka-queue', bare: 'bare-rest' },
  sign: { openssl: 'openssl' },
};

/** The names of what `words` (names of peers) do for a scenario of this way to work. */
export const contestantsOf = (way, words) =>
  words.map((word) => rightOne[way][word]).filter((name) => name !== undefined);

/** Those of the peers that are on this machine, started when first asked for and kept until the end. */
export class PeerPool {
  #context;
  #stops;
  #started = new Map();

  constructor(context, stops) {
    this.#context = context;
    this.#stops = stops;
  }

  /** Resolves with what there is of each: `{ isThere, version }`, or `{ isThere: false, why }`. */
  static async find(words) {
    const found = {};
    for (const word of words) found[word] = await peers[word].find();
    return found;
  }

  /** By the name of one of its ways to work. */
  start(name) {
    const peer = Object.values(peers).find(({ names }) => names.includes(name));
    if (!this.#started.has(name)) this.#started.set(name, peer.start(name, this.#context, this.#stops));
    return this.#started.get(name);
  }
}
