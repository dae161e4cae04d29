/**
 * A transaction at a REST peer, and the requests that can be made of it (protocol §1.3 to §1.10). It knows the URL and the newest ETag; what the
 * peer shows goes to a listener. Methods throw `HttpTrouble` or `UpstreamTrouble`.
 */
import type { Body } from '../core/body.ts';
import type { Deps } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { FilterOutput } from '../core/transaction.ts';
import { type Deadline, patience } from './deadline.ts';
import type { HttpClient, Trust } from './http-client.ts';
import { mergePeerView, NO_VIEW, type PeerView, readPeerView } from './peer-view.ts';
import { isViewReturned, PREFERENCE_APPLIED, preferAnswers, preferFinalAnswer } from './prefer.ts';
import {
  type HttpAnswer,
  type HttpAsk,
  HttpTrouble,
  headerOf,
  httpRequest,
  jsonObject,
  resolveUrl,
} from './request.ts';
import { type UploadTarget, uploadBody } from './upload-body.ts';
import { isJudgement, peerRefusal, UpstreamTrouble } from './upstream-trouble.ts';
import { addFilterOutputJson, addRcptsJson } from './wire-create.ts';
import { DSN_HEADER, readDsnHeader, withSource } from './wire-dsn.ts';

/** How to speak to a peer. */
export interface Peer {
  readonly client: HttpClient;
  readonly trust: Trust;
  readonly deps: Pick<Deps, 'clock' | 'rng' | 'log'>;
  /** Hears with each answer whether the peer takes over what RFC 3461 asks of a mail server. */
  readonly heardDsn?: (isOffered: boolean) => void;
}

const JSON_TYPE = { 'content-type': 'application/json' } as const;
const CONFLICT_PAUSE_MS = 10;
/** A reason of one's own: the default one is an exception with a stack, made anew each time. */
const NEWS = 'news';

export class RemoteTransaction {
  readonly url: URL;
  readonly #peer: Peer;
  readonly #onView: (view: PeerView) => void;
  #view: PeerView = NO_VIEW;
  #etag: string | undefined;
  /** Counts requests that change something, so that a GET that was overtaken by one does not bring back an older ETag. */
  #changes = 0;
  #lastPoll: { readonly at: number; readonly etag: string | undefined } | undefined;
  /** Ends the pause between two polls when a PATCH has news. */
  #pause: AbortController | undefined;

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
    deadline: Deadline,
    onView: (view: PeerView) => void,
  ): Promise<RemoteTransaction> {
    const answer = await httpRequest(peer.client, peer.trust, {
      method: 'POST',
      url: endpoint,
      headers: { ...JSON_TYPE, ...preferAnswers(deadline) },
      body: JSON.stringify(json),
      use: 'poll',
      signal: deadline,
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

  /** Adds recipients behind the `offset` that are there. */
  async addRcpts(rcpts: readonly Mailbox[], offset: number, deadline: Deadline): Promise<void> {
    const json = addRcptsJson(rcpts, offset);
    await this.#update(
      deadline,
      () => this.#patch(json, deadline, preferAnswers(deadline)),
      (view) => {
        if (view.rcptCount === offset + rcpts.length) return true;
        if (view.rcptCount !== offset) throw new UpstreamTrouble('bad upstream delta');
        return false;
      },
    );
  }

  /** Adds what filters found out. What is there cannot be read back, so it is said again until it was heard. */
  async addFilterOutput(filterOutput: FilterOutput, deadline: Deadline): Promise<void> {
    const json = addFilterOutputJson(filterOutput);
    await this.#update(
      deadline,
      () => this.#patch(json, deadline),
      () => false,
    );
  }

  /**
   * Hands a receiver the parsed message, and answers whether it says where each of the parts goes (protocol §1.8). A 5xx is not tried
   * again: what the receiver has made of the JSON cannot be told from its state.
   */
  async announce(json: object, parts: Iterable<string>, deadline: Deadline): Promise<boolean> {
    const { builderUri } = this.#view;
    const url = builderUri === undefined ? undefined : resolveUrl(builderUri, this.url);
    if (url === undefined) throw new UpstreamTrouble('bad response no message_builder uri');
    const ids = [...parts];
    const body = JSON.stringify(json);
    const post = async (): Promise<HttpAnswer | undefined> => {
      const headers = { ...JSON_TYPE, ...this.#ifMatch(), ...patience(deadline) };
      const answer = await this.#change({ method: 'POST', url, headers, body, signal: deadline });
      if (answer !== undefined && answer.status >= 500) throw peerRefusal(answer);
      return answer;
    };
    const areKnown = (view: PeerView): boolean => ids.every((id) => view.parts.has(id));
    await this.#update(deadline, post, (view) => view.hasParsed && areKnown(view));
    return areKnown(this.#view);
  }

  /** Keeps the transaction alive. */
  async heartbeat(deadline: Deadline): Promise<void> {
    const answer = await this.#patch(undefined, deadline);
    if (answer?.status !== 200) throw new UpstreamTrouble(`heartbeat error ${answer?.status ?? ''}`.trimEnd());
  }

  /** Uploads the whole message. A peer that can waits with its answer, and shows the reply in it. */
  async upload(body: Body, chunkSize: number, deadline: Deadline): Promise<void> {
    if (this.#view.bodyUri === undefined) await this.read(deadline);
    const { bodyUri, isReceiver } = this.#view;
    const answer = await this.#put(bodyUri, {
      body,
      mediaType: 'message/rfc822',
      chunkSize,
      isWholeOnly: isReceiver,
      prefer: preferFinalAnswer(deadline),
      deadline,
    });
    if (answer !== undefined && isViewReturned(headerOf(answer, PREFERENCE_APPLIED))) this.#take(answer);
  }

  /** Uploads a part that was announced, never in ranges. */
  async uploadPart(id: string, body: Body, deadline: Deadline): Promise<void> {
    const uri = this.#view.parts.get(id)?.uri;
    const whole = { mediaType: 'application/octet-stream', chunkSize: Number.POSITIVE_INFINITY, isWholeOnly: true };
    try {
      await this.#put(uri, { body, ...whole, deadline });
    } catch (error) {
      // Whoever takes a part only once refuses the repetition of an upload whose answer was lost.
      if (!isJudgement(error)) throw error;
      await this.read(deadline);
      if (this.#view.parts.get(id)?.isComplete !== true) throw error;
    }
  }

  /** One hanging GET, not sooner than a moment after the last one that brought nothing new. */
  async poll(deadline: Deadline): Promise<void> {
    await this.#keepDistance(deadline);
    if (deadline.isEnded) return;
    const { clock } = this.#peer.deps;
    const etag = this.#etag;
    const changes = this.#changes;
    this.#lastPoll = { at: clock.monotonicMs(), etag };
    // The example receiver has the reply after the last upload without a new ETag: it is read again and again.
    const answer = await this.#hang(this.#view.isReceiver ? undefined : etag, deadline);
    if (answer.status === 304) return;
    if (answer.status !== 200) throw peerRefusal(answer);
    this.#take(answer, changes);
  }

  async cancel(deadline: Deadline): Promise<void> {
    const url = new URL(this.url);
    url.pathname = `${url.pathname}/cancel`;
    await this.#request({ method: 'POST', url, signal: deadline });
  }

  /**
   * Upstream's gateway answers 500 where 304 is meant, and a connection may break while it hangs: one plain read tells whether the
   * transaction is still there.
   */
  async #hang(etag: string | undefined, deadline: Deadline): Promise<HttpAnswer> {
    const headers = { ...(etag !== undefined && { 'if-none-match': etag }), ...patience(deadline) };
    try {
      const answer = await this.#request({ method: 'GET', url: this.url, headers, use: 'poll', signal: deadline });
      if (answer.status < 500) return answer;
    } catch (error) {
      if (!(error instanceof HttpTrouble) || error.code !== 'network') throw error;
    }
    return this.#request({ method: 'GET', url: this.url, signal: deadline });
  }

  /** Reads the state anew, whatever the ETag. */
  async read(deadline: Deadline): Promise<void> {
    const changes = this.#changes;
    const answer = await this.#request({ method: 'GET', url: this.url, signal: deadline });
    if (answer.status !== 200) throw peerRefusal(answer);
    this.#take(answer, changes);
  }

  #patch(
    json: object | undefined,
    deadline: Deadline,
    more: { readonly prefer?: string } = {},
  ): Promise<HttpAnswer | undefined> {
    const ask = { method: 'PATCH', url: this.url, use: more.prefer ? 'poll' : 'short', signal: deadline } as const;
    if (json === undefined) return this.#change(ask);
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (this.#etag !== undefined) headers['if-match'] = this.#etag;
    if (more.prefer !== undefined) headers.prefer = more.prefer;
    return this.#change({ ...ask, headers, body: JSON.stringify(json) });
  }

  #ifMatch(): { readonly 'if-match'?: string } {
    return this.#etag === undefined ? {} : { 'if-match': this.#etag };
  }

  /** `undefined` when the connection broke: the peer may or may not have heard of it. */
  async #change(ask: HttpAsk): Promise<HttpAnswer | undefined> {
    this.#changes += 1;
    try {
      const answer = await this.#request(ask);
      if (answer.status === 200) this.#take(answer);
      return answer;
    } catch (error) {
      if (error instanceof HttpTrouble && error.code === 'network') return undefined;
      throw error;
    }
  }

  /** Makes a change under If-Match; a lost race or a lost answer is resolved by reading what is there now. */
  async #update(
    deadline: Deadline,
    change: () => Promise<HttpAnswer | undefined>,
    isDone: (view: PeerView) => boolean,
  ): Promise<void> {
    for (let tries = 1; tries <= limits.patchTries; tries += 1) {
      const answer = await change();
      if (answer?.status === 200) return;
      if (answer !== undefined && answer.status !== 412 && answer.status < 500) throw peerRefusal(answer);
      await this.#pauseBriefly(tries, deadline);
      await this.read(deadline);
      if (isDone(this.#view)) return;
    }
    throw new UpstreamTrouble('update conflict');
  }

  async #put(uri: string | undefined, upload: Omit<UploadTarget, 'url'>): Promise<HttpAnswer | undefined> {
    const url = uri === undefined ? undefined : resolveUrl(uri, this.url);
    if (url === undefined) throw new UpstreamTrouble('bad response no body uri');
    return uploadBody((ask) => this.#request(ask), this.#peer.deps.clock, { url, ...upload });
  }

  /** Takes over what an answer shows; its ETag only if nothing was changed since `changes` were counted. */
  #take(answer: HttpAnswer, changes = this.#changes): void {
    const json = jsonObject(answer);
    if (json === undefined) throw new UpstreamTrouble('bad resp json');
    if (changes === this.#changes) this.#etag = headerOf(answer, 'etag') ?? this.#etag;
    this.#pause?.abort(NEWS);
    const source = readDsnHeader(headerOf(answer, DSN_HEADER));
    this.#peer.heardDsn?.(source !== undefined);
    this.#view = mergePeerView(
      this.#view,
      source === undefined ? readPeerView(json) : withSource(readPeerView(json), source),
    );
    this.#onView(this.#view);
  }

  async #keepDistance({ signal }: Deadline): Promise<void> {
    const last = this.#lastPoll;
    if (last === undefined || last.etag !== this.#etag) return;
    this.#pause = new AbortController();
    const { clock } = this.#peer.deps;
    const left = last.at + limits.pollPauseMs - clock.monotonicMs();
    if (left > 0) await clock.sleep(left, AbortSignal.any([signal, this.#pause.signal]));
  }

  async #pauseBriefly(tries: number, { signal }: Deadline): Promise<void> {
    const { clock, rng } = this.#peer.deps;
    await clock.sleep(rng.uniform() * CONFLICT_PAUSE_MS * 2 ** tries, signal);
  }

  #request(ask: HttpAsk): Promise<HttpAnswer> {
    return httpRequest(this.#peer.client, this.#peer.trust, ask);
  }
}
