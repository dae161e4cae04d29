/**
 * One HTTP request with a bounded answer: redirects are followed with method and body, and what can be repeated survives a kept connection
 * that turns out to be dead. Everything that goes wrong below HTTP is one `HttpTrouble`; a status is never an error here.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { limits } from '../core/limits.ts';
import type { Ending } from './deadline.ts';
import type { PoolUse, Trust } from './http-client.ts';

export interface HttpAsk {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes, or a way to read them from the start as often as a redirect needs (then with a `content-length` header). */
  readonly body?: Buffer | string | (() => Readable);
  /** Defaults to `short`. */
  readonly use?: PoolUse;
  /** Not to be repeated on another connection: it may have worked although its answer was lost (a create that carries its message). */
  readonly isOnce?: boolean;
  /** Ends the whole request, redirects included. */
  readonly signal: AbortSignal | Ending;
}

/** One request as it goes out. */
export interface SentRequest {
  readonly method: HttpAsk['method'];
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string | Readable | null;
  readonly ending: Ending;
}

export interface SentAnswer {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer | Readable;
}

/** What requests go out through: the `HttpClient` of a daemon, or the lighter one of a command. */
export interface HttpSender {
  pool(origin: string, trust: Trust, use: PoolUse): { request(ask: SentRequest): Promise<SentAnswer> };
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Where the answer came from, after redirects. */
  readonly url: URL;
}

export type HttpTroubleCode = 'aborted' | 'network' | 'tooLarge' | 'redirect';

/** No usable answer: the deadline passed, the connection failed, or the peer misbehaves. */
export class HttpTrouble extends Error {
  override readonly name = 'HttpTrouble';
  readonly code: HttpTroubleCode;
  constructor(code: HttpTroubleCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Sends a request and reads the answer whole; throws `HttpTrouble`. */
export async function httpRequest(client: HttpSender, trust: Trust, ask: HttpAsk): Promise<HttpAnswer> {
  let { url } = ask;
  for (let redirects = 0; ; redirects += 1) {
    const answer = await sendTwiceIfStale(client, trust, ask, url);
    const next = redirectTarget(ask, answer);
    if (next === undefined) return answer;
    if (redirects === limits.httpRedirects) throw new HttpTrouble('redirect', 'too many redirects');
    url = next;
  }
}

/** The first value of a header, by its lower-case name. */
export function headerOf(answer: HttpAnswer, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The body of an answer when it is a JSON object; whatever the content type says, because peers differ there. */
export function jsonObject(answer: HttpAnswer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(answer.body.toString('utf8'));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The URL a header or a JSON field names, relative ones taken from `base`; `undefined` unless it is http or https. */
export function resolveUrl(reference: string, base: URL): URL | undefined {
  try {
    const url = new URL(reference, base);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url : undefined;
  } catch {
    return undefined;
  }
}

function redirectTarget(ask: HttpAsk, answer: HttpAnswer): URL | undefined {
  const keepsMethod = answer.status === 307 || answer.status === 308;
  const isForGet = answer.status === 301 || answer.status === 302 || answer.status === 303;
  if (!keepsMethod && !(isForGet && ask.method === 'GET')) return undefined;
  const location = headerOf(answer, 'location');
  const target = location === undefined ? undefined : resolveUrl(location, answer.url);
  if (target === undefined) throw new HttpTrouble('redirect', 'redirect without a usable location');
  // A secret or a message that came over TLS does not go on in the clear.
  if (answer.url.protocol === 'https:' && target.protocol === 'http:') {
    throw new HttpTrouble('redirect', 'redirect from https to http');
  }
  return target;
}

/**
 * A server may close a kept connection at the moment we use it (RFC 9112 §9.3.1). Nothing Koukan sends moves a message when it is repeated:
 * a create has no body yet (else it is `isOnce`), a PATCH is guarded by If-Match; an upload repeats itself, and remembers. So each is repeated once.
 */
function sendTwiceIfStale(client: HttpSender, trust: Trust, ask: HttpAsk, url: URL): Promise<HttpAnswer> {
  const again = (error: unknown): Promise<HttpAnswer> => {
    if (ask.isOnce === true || !isStaleConnection(error)) throw error;
    return send(client, trust, ask, url, passOn);
  };
  return send(client, trust, ask, url, again);
}

function passOn(error: unknown): never {
  throw error;
}

function isStaleConnection(error: unknown): boolean {
  if (!(error instanceof HttpTrouble) || error.code !== 'network') return false;
  const { code } = (error.cause ?? {}) as { code?: unknown };
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

/** One promise where the answer comes in one piece, as it does from a frame: each message takes five. `failed` hears of `HttpTrouble`. */
function send(
  client: HttpSender,
  trust: Trust,
  ask: HttpAsk,
  url: URL,
  failed: (error: unknown) => Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  const { body, signal } = ask;
  const ending = signal instanceof AbortSignal ? endingOf(signal) : signal;
  const onTrouble = (error: unknown): Promise<HttpAnswer> => failed(troubleOf(error, ending));
  try {
    const sent = client.pool(url.origin, trust, ask.use ?? 'short').request({
      method: ask.method,
      path: `${url.pathname}${url.search}`,
      headers: withAuthorization(ask.headers ?? NO_HEADERS, trust, url),
      body: typeof body === 'function' ? body() : (body ?? null),
      ending,
    });
    return sent.then(({ statusCode: status, headers, body: said }) => {
      if (Buffer.isBuffer(said)) return { status, headers, body: said, url };
      return readBounded(said).then((read) => ({ status, headers, body: read, url }), onTrouble);
    }, onTrouble);
  } catch (error) {
    return Promise.reject(error as Error).catch(onTrouble);
  }
}

function troubleOf(error: unknown, ending: Ending): HttpTrouble {
  if (error instanceof HttpTrouble) return error;
  if (ending.isEnded) return new HttpTrouble('aborted', 'the deadline passed or the exchange ended');
  return new HttpTrouble('network', (error as Error).message, { cause: error });
}

function endingOf(signal: AbortSignal): Ending {
  return {
    get isEnded() {
      return signal.aborted;
    },
    onEnd(listener) {
      signal.addEventListener('abort', listener, { once: true });
      return () => signal.removeEventListener('abort', listener);
    },
  };
}

type Headers = Readonly<Record<string, string>>;

const NO_HEADERS: Headers = {};

/** RFC 6750 §2.1. */
function withAuthorization(headers: Headers, trust: Trust, url: URL): Headers {
  if (typeof trust === 'boolean' || trust.token === undefined) return headers;
  if (trust.isTokenForTlsOnly === true && url.protocol !== 'https:') {
    throw new HttpTrouble('redirect', 'a peer that was asked over https sent us to http');
  }
  return { ...headers, authorization: `Bearer ${trust.token()}` };
}

async function readBounded(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > limits.httpAnswerBytes) throw new HttpTrouble('tooLarge', 'the answer is too large');
    parts.push(part);
  }
  return Buffer.concat(parts);
}
