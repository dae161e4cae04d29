/**
 * A transaction at a REST peer, and the requests that can be made of it (protocol §1.3 to §1.10). It knows the URL and the newest ETag; what the
 * peer shows goes to a listener. Methods throw `HttpTrouble` or `UpstreamTrouble`.
 */
import type { Body } from '../core/body.ts';
import type { Deps } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { Deadline } from './deadline.ts';
import type { HttpClient, Trust } from './http-client.ts';
import { mergePeerView, NO_VIEW, type PeerView, readPeerView } from './peer-view.ts';
import {
  type HttpAnswer,
  type HttpAsk,
  HttpTrouble,
  headerOf,
  httpRequest,
  jsonObject,
  resolveUrl,
} from './request.ts';
import { uploadBody } from './upload-body.ts';
import { peerRefusal, UpstreamTrouble } from './upstream-trouble.ts';
import { addRcptsJson } from './wire-create.ts';

/** How to speak to a peer. */
export interface Peer {
  readonly client: HttpClient;
  readonly trust: Trust;
  readonly deps: Pick<Deps, 'clock' | 'rng' | 'log'>;
}

const JSON_TYPE = { 'content-type': 'application/json' } as const;
const CONFLICT_PAUSE_MS = 10;

export class RemoteTransaction {
  readonly url: URL;
  readonly #peer: Peer;
  readonly #onView: (view: PeerView) => void;
  #view: PeerView = NO_VIEW;
  #etag: string | undefined;
  /** Counts PATCHes, so that a GET that was overtaken by one does not bring back an older ETag. */
  #patches = 0;
  #lastPoll: { readonly at: number; readonly etag: string | undefined } | undefined;
  /** Ends the pause between two polls when a PATCH has news. */
  #pause = new AbortController();

  private constructor(peer: Peer, url: URL, onView: (view: PeerView) => void) {
    this.#peer = peer;
    this.url = url;
    this.#onView = onView;
  }

  /** Creates a transaction. `endpoint` is the create URL; `onView` hears of every state the peer shows. */
  static async create(
    peer: Peer,
    endpoint: URL,
    json: object,
    signal: AbortSignal,
    onView: (view: PeerView) => void,
  ): Promise<RemoteTransaction> {
    const answer = await httpRequest(peer.client, peer.trust, {
      method: 'POST',
      url: endpoint,
      headers: JSON_TYPE,
      body: JSON.stringify(json),
      signal,
    });
    if (answer.status !== 201 && answer.status !== 200) throw peerRefusal(answer);
    const location = headerOf(answer, 'location');
    const url = location === undefined ? undefined : resolveUrl(location, answer.url);
    if (url === undefined) throw new UpstreamTrouble('bad response no location');
    const remote = new RemoteTransaction(peer, url, onView);
    remote.#take(answer);
    return remote;
  }

  get view(): PeerView {
    return this.#view;
  }

  /** Adds recipients behind the `offset` that are there; a lost race or a lost answer is resolved by reading what is there now. */
  async addRcpts(rcpts: readonly Mailbox[], offset: number, signal: AbortSignal): Promise<void> {
    const json = addRcptsJson(rcpts, offset);
    for (let tries = 1; tries <= limits.patchTries; tries += 1) {
      const answer = await this.#patch(json, signal);
      if (answer?.status === 200) return;
      if (answer !== undefined && answer.status !== 412 && answer.status < 500) {
        throw peerRefusal(answer);
      }
      await this.#pauseBriefly(tries, signal);
      await this.#read(signal);
      if (this.#view.rcptCount === offset + rcpts.length) return;
      if (this.#view.rcptCount !== offset) throw new UpstreamTrouble('bad upstream delta');
    }
    throw new UpstreamTrouble('update conflict');
  }

  /** Keeps the transaction alive. */
  async heartbeat(signal: AbortSignal): Promise<void> {
    const answer = await this.#patch(undefined, signal);
    if (answer?.status !== 200) throw new UpstreamTrouble(`heartbeat error ${answer?.status ?? ''}`.trimEnd());
  }

  /** Uploads the whole message. */
  async upload(body: Body, chunkSize: number, signal: AbortSignal): Promise<void> {
    if (this.#view.bodyUri === undefined) await this.#read(signal);
    const { bodyUri, isReceiver } = this.#view;
    const url = bodyUri === undefined ? undefined : resolveUrl(bodyUri, this.url);
    if (url === undefined) throw new UpstreamTrouble('bad response no body uri');
    await uploadBody((ask) => this.#request(ask), this.#peer.deps.clock, {
      url,
      body,
      chunkSize,
      isWholeOnly: isReceiver,
      signal,
    });
  }

  /** Reads the state anew, whatever the ETag. */
  read(signal: AbortSignal): Promise<void> {
    return this.#read(signal);
  }

  /** One hanging GET, not sooner than a moment after the last one that brought nothing new. */
  async poll(deadline: Deadline): Promise<void> {
    await this.#keepDistance(deadline.signal);
    if (deadline.signal.aborted) return;
    const { clock } = this.#peer.deps;
    const etag = this.#etag;
    const patches = this.#patches;
    this.#lastPoll = { at: clock.now(), etag };
    // The example receiver has the reply after the last upload without a new ETag: it is read again and again.
    const answer = await this.#hang(this.#view.isReceiver ? undefined : etag, deadline);
    if (answer.status === 304) return;
    if (answer.status !== 200) throw peerRefusal(answer);
    this.#take(answer, patches);
  }

  async cancel(signal: AbortSignal): Promise<void> {
    const url = new URL(this.url);
    url.pathname = `${url.pathname}/cancel`;
    await this.#request({ method: 'POST', url, signal });
  }

  /**
   * Upstream's gateway answers 500 where 304 is meant, and a connection may break while it hangs: one plain read tells whether the
   * transaction is still there.
   */
  async #hang(etag: string | undefined, deadline: Deadline): Promise<HttpAnswer> {
    const secondsLeft = Math.floor(deadline.leftMs() / 1000);
    const headers = {
      ...(etag !== undefined && { 'if-none-match': etag }),
      ...(secondsLeft >= 2 && { 'request-timeout': String(secondsLeft - 1) }),
    };
    const { signal } = deadline;
    try {
      const answer = await this.#request({ method: 'GET', url: this.url, headers, use: 'poll', signal });
      if (answer.status < 500) return answer;
    } catch (error) {
      if (!(error instanceof HttpTrouble) || error.code !== 'network') throw error;
    }
    return this.#request({ method: 'GET', url: this.url, signal });
  }

  async #read(signal: AbortSignal): Promise<void> {
    const patches = this.#patches;
    const answer = await this.#request({ method: 'GET', url: this.url, signal });
    if (answer.status !== 200) throw peerRefusal(answer);
    this.#take(answer, patches);
  }

  /** `undefined` when the connection broke: the peer may or may not have heard of it. */
  async #patch(json: object | undefined, signal: AbortSignal): Promise<HttpAnswer | undefined> {
    this.#patches += 1;
    const headers = { ...JSON_TYPE, ...(this.#etag !== undefined && { 'if-match': this.#etag }) };
    const update = { headers, body: JSON.stringify(json) };
    try {
      const answer = await this.#request({ method: 'PATCH', url: this.url, signal, ...(json && update) });
      if (answer.status === 200) this.#take(answer);
      return answer;
    } catch (error) {
      if (error instanceof HttpTrouble && error.code === 'network') return undefined;
      throw error;
    }
  }

  /** Takes over what an answer shows; its ETag only if no PATCH was sent since `patches` were counted. */
  #take(answer: HttpAnswer, patches = this.#patches): void {
    const json = jsonObject(answer);
    if (json === undefined) throw new UpstreamTrouble('bad resp json');
    if (patches === this.#patches) this.#etag = headerOf(answer, 'etag') ?? this.#etag;
    this.#pause.abort();
    this.#view = mergePeerView(this.#view, readPeerView(json));
    this.#onView(this.#view);
  }

  async #keepDistance(signal: AbortSignal): Promise<void> {
    const last = this.#lastPoll;
    if (last === undefined || last.etag !== this.#etag) return;
    this.#pause = new AbortController();
    const { clock } = this.#peer.deps;
    const left = last.at + limits.pollPauseMs - clock.now();
    if (left > 0) await clock.sleep(left, AbortSignal.any([signal, this.#pause.signal]));
  }

  async #pauseBriefly(tries: number, signal: AbortSignal): Promise<void> {
    const { clock, rng } = this.#peer.deps;
    await clock.sleep(rng.uniform() * CONFLICT_PAUSE_MS * 2 ** tries, signal);
  }

  #request(ask: HttpAsk): Promise<HttpAnswer> {
    return httpRequest(this.#peer.client, this.#peer.trust, ask);
  }
}
