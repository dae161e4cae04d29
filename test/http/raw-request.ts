/** One HTTP request as the test writes it, header by header, and the answer as it came: no client library in between. */
import { type IncomingHttpHeaders, request as overHttp } from 'node:http';
import { request as overHttps, type RequestOptions } from 'node:https';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The body as JSON; `undefined` when it is none. */
  readonly json: unknown;
}

export interface RawAsk {
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes go with a Content-Length, an iterable with chunked transfer encoding. */
  readonly body?: Buffer | string | object | AsyncIterable<Buffer>;
  readonly signal?: AbortSignal;
  /** TLS, or the address to connect from. */
  readonly connect?: RequestOptions;
}

export function rawRequest(method: string, url: string, ask: RawAsk = {}): Promise<RawAnswer> {
  const { body, signal } = ask;
  const isStream = typeof body === 'object' && Symbol.asyncIterator in body;
  const entity =
    body === undefined || isStream || Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
  const isJson = typeof entity === 'string' && typeof body === 'object';
  const headers: Record<string, string> = {
    ...(isJson && { 'content-type': 'application/json' }),
    ...(typeof entity === 'string' && { 'content-length': String(Buffer.byteLength(entity)) }),
    ...(Buffer.isBuffer(entity) && { 'content-length': String(entity.length) }),
    ...ask.headers,
  };
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? overHttps : overHttp;
    const options = { method, headers, agent: false as const, ...(signal && { signal }), ...ask.connect };
    const outgoing = request(url, options, (incoming) => {
      text(incoming).then((received) => {
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: received,
          json: parsed(received),
        });
      }, reject);
    });
    outgoing.on('error', reject);
    if (isStream) Readable.from(entity as AsyncIterable<Buffer>).pipe(outgoing);
    else outgoing.end(entity);
  });
}

function parsed(received: string): unknown {
  try {
    return JSON.parse(received);
  } catch {
    return undefined;
  }
}
