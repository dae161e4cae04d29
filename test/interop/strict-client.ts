/**
 * The original's REST client in small: it holds every answer against what it has sent and what it has seen, as strictly as the original
 * does, and throws where the original would give up the attempt (protocol 1.1, 1.9 and 1.10).
 */
import { isDeepStrictEqual } from 'node:util';
import { type RawAnswer, type RawAsk, rawRequest } from '../http/raw-request.ts';

export type Json = Record<string, unknown>;
export interface WireResponse {
  readonly code: number;
  readonly message?: string;
}

const READABLE = new Set(
  `remote_host local_host mail_from mail_response rcpt_to rcpt_response data_response attempt_count body notification retry cancelled
   final_attempt_reason sender filter_output`.split(/\s+/),
);
const PLACEHOLDERS = ['mail_from', 'sender', 'filter_output'];
const ONCE = [
  'mail_response',
  'data_response',
  'attempt_count',
  'retry',
  'notification',
  'final_attempt_reason',
  'cancelled',
];
const POLLS_MAX = 60;

/** What the original would not put up with. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Violation(what);
}

export class StrictTx {
  readonly url: string;
  etag: string;
  view: Json = {};
  readonly #sent: Json;
  #blobs = new Map<string, { path: string; finalized: boolean }>();

  private constructor(url: string, etag: string, sent: Json) {
    this.url = url;
    this.etag = etag;
    this.#sent = structuredClone(sent);
  }

  static async create(endpoint: string, json: Json): Promise<StrictTx> {
    const answer = await rawRequest('POST', endpoint, { body: json, headers: { 'request-timeout': '29' } });
    demand(answer.status === 201, `create: status ${answer.status} ${answer.body}`);
    const { location } = answer.headers;
    demand(location !== undefined && /^https?:\/\//.test(location), `create: location ${location} is not absolute`);
    const tx = new StrictTx(location, etagOf(answer, 'create'), json);
    tx.#take(answer, 'create');
    return tx;
  }

  get mailResponse(): WireResponse | undefined {
    return this.view.mail_response as WireResponse | undefined;
  }

  get rcptResponses(): readonly WireResponse[] {
    return (this.view.rcpt_response ?? []) as WireResponse[];
  }

  get dataResponse(): WireResponse | undefined {
    return this.view.data_response as WireResponse | undefined;
  }

  get bodyUri(): string {
    const body = this.view.body as { blob_status?: { uri?: string } } | undefined;
    const uri = body?.blob_status?.uri;
    demand(uri !== undefined && /^https?:\/\//.test(uri), `no absolute body uri in ${JSON.stringify(this.view)}`);
    return uri;
  }

  /** A JSON PATCH under If-Match. */
  async patch(delta: Json): Promise<void> {
    const headers = { 'if-match': this.etag, 'request-timeout': '29' };
    const answer = await rawRequest('PATCH', this.url, { body: delta, headers });
    demand(answer.status === 200, `patch: status ${answer.status} ${answer.body}`);
    const before = (this.#sent.rcpt_to ?? []) as unknown[];
    if (delta.rcpt_to !== undefined) this.#sent.rcpt_to = [...before, ...(delta.rcpt_to as unknown[])];
    if (delta.filter_output !== undefined) this.#sent.filter_output = delta.filter_output;
    this.#take(answer, 'patch');
  }

  /** An empty PATCH without a content type and without If-Match. */
  async heartbeat(): Promise<void> {
    const answer = await rawRequest('PATCH', this.url, { headers: { 'content-length': '0' } });
    demand(answer.status === 200, `heartbeat: status ${answer.status}`);
    this.#take(answer, 'heartbeat');
  }

  /** Adds recipients with the offset the original sends: none for the first ones. */
  addRcpts(...rcpts: Json[]): Promise<void> {
    const offset = ((this.#sent.rcpt_to ?? []) as unknown[]).length;
    return this.patch({ rcpt_to: rcpts, ...(offset > 0 && { rcpt_to_list_offset: offset }) });
  }

  /** Hands a receiver the parsed message; the version of its answer is not looked at. */
  async build(parsed: Json): Promise<void> {
    const { message_builder } = this.view.body as { message_builder?: { uri?: string } };
    demand(/^https?:\/\//.test(message_builder?.uri ?? ''), 'build: no absolute message_builder.uri');
    const { etag } = this;
    const headers = { 'if-match': etag, 'request-timeout': '29' };
    const answer = await rawRequest('POST', message_builder?.uri ?? '', { body: parsed, headers });
    demand(answer.status === 200, `build: status ${answer.status} ${answer.body}`);
    this.#take(answer, 'build');
    this.etag = etag;
  }

  /** Uploads a part whole, with its length. */
  async uploadPart(id: string, bytes: Buffer): Promise<void> {
    const { message_builder } = this.view.body as {
      message_builder?: { blob_status?: Record<string, { uri: string }> };
    };
    const uri = message_builder?.blob_status?.[id]?.uri;
    demand(uri !== undefined && /^https?:\/\//.test(uri), `part: no absolute uri of ${id}`);
    const answer = await rawRequest('PUT', uri, { body: bytes });
    demand(answer.status === 200, `part: status ${answer.status} ${answer.body}`);
  }

  /** Uploads the message as the original does: whole when it fits, else in ranges, believing what `content-range` says. */
  async upload(bytes: Buffer, chunkSize = Number.POSITIVE_INFINITY): Promise<void> {
    let offset = 0;
    for (let round = 0; round < POLLS_MAX; round += 1) {
      const end = Math.min(bytes.length, offset + chunkSize);
      const isLast = end === bytes.length;
      const answer = await rawRequest('PUT', this.bodyUri, putOf(bytes, offset, end));
      demand(answer.status === 200 || answer.status === 416, `upload: status ${answer.status} ${answer.body}`);
      const stored = storedOf(answer, end);
      if (isLast && answer.status === 200) return;
      offset = stored;
    }
    throw new Violation('upload: no end');
  }

  async get(hangSeconds?: number): Promise<RawAnswer> {
    const hang: RawAsk =
      hangSeconds === undefined
        ? {}
        : { headers: { 'if-none-match': this.etag, 'request-timeout': String(hangSeconds) } };
    const answer = await rawRequest('GET', this.url, hang);
    if (answer.status === 304) {
      demand(answer.headers.etag === this.etag, `304: etag ${answer.headers.etag} is not ${this.etag}`);
      return answer;
    }
    demand(answer.status === 200, `get: status ${answer.status} ${answer.body}`);
    this.#take(answer, 'get');
    return answer;
  }

  /** Polls while something is in flight by the original's own rule; it gives up when nothing is. */
  async settle(hangSeconds = 10): Promise<void> {
    for (let round = 0; round < POLLS_MAX; round += 1) {
      if (round > 0 && !this.#isInflight()) return;
      await this.get(round === 0 ? undefined : hangSeconds);
    }
    throw new Violation(`still in flight: ${JSON.stringify(this.view)}`);
  }

  /** Polls until it will not be tried again. */
  async untilFinal(): Promise<void> {
    for (let round = 0; round < POLLS_MAX && this.view.final_attempt_reason === undefined; round += 1) {
      const before = this.etag;
      await this.get(5);
      if (this.etag === before) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    demand(this.view.final_attempt_reason !== undefined, `not final: ${JSON.stringify(this.view)}`);
  }

  async cancel(): Promise<void> {
    const answer = await rawRequest('POST', `${this.url}/cancel`);
    demand(answer.status === 200 && answer.body === '', `cancel: status ${answer.status} ${answer.body}`);
  }

  #isInflight(): boolean {
    const { mailResponse, rcptResponses, view } = this;
    if (this.#sent.mail_from !== undefined && mailResponse === undefined) return true;
    if (mailResponse !== undefined && !isOk(mailResponse)) return false;
    const rcpts = ((this.#sent.rcpt_to ?? []) as unknown[]).length;
    if (rcptResponses.length < rcpts) return true;
    const body = view.body as { blob_status?: { finalized?: boolean }; message_builder?: object } | undefined;
    const isFinalized =
      body?.blob_status?.finalized === true ||
      (body?.message_builder !== undefined && [...this.#blobs.values()].every(({ finalized }) => finalized));
    return isFinalized && rcptResponses.some(isOk) && this.dataResponse === undefined;
  }

  #take(answer: RawAnswer, where: string): void {
    demand(answer.headers['content-type'] === 'application/json', `${where}: ${answer.headers['content-type']}`);
    const json = answer.json as Json;
    demand(typeof json === 'object' && json !== null, `${where}: no JSON object`);
    this.#checkShape(json, where);
    this.#checkAgainstSent(json, where);
    this.#checkAgainstSeen(json, where);
    this.#checkBlobs(json, where);
    this.view = json;
    this.etag = etagOf(answer, where);
  }

  #checkShape(json: Json, where: string): void {
    for (const [key, value] of Object.entries(json)) {
      demand(READABLE.has(key), `${where}: unknown key ${key}`);
      demand(value !== null, `${where}: null ${key}`);
      demand(!Array.isArray(value) || value.length > 0, `${where}: empty list ${key}`);
    }
    for (const key of PLACEHOLDERS) {
      demand(json[key] === undefined || isDeepStrictEqual(json[key], {}), `${where}: ${key} is no placeholder`);
    }
  }

  #checkAgainstSent(json: Json, where: string): void {
    for (const key of ['remote_host', 'local_host']) {
      demand(isDeepStrictEqual(json[key], this.#sent[key]), `${where}: ${key} is not echoed`);
    }
    for (const key of ['mail_from', 'filter_output', 'sender']) {
      demand(this.#sent[key] === undefined || json[key] !== undefined, `${where}: ${key} was sent and is missing`);
    }
    const sent = ((this.#sent.rcpt_to ?? []) as unknown[]).length;
    demand(((json.rcpt_to ?? []) as unknown[]).length >= sent, `${where}: rcpt_to is short`);
  }

  #checkAgainstSeen(json: Json, where: string): void {
    for (const key of ONCE) {
      const seen = this.view[key];
      demand(seen === undefined || isDeepStrictEqual(json[key], seen), `${where}: ${key} changed`);
    }
    const rcpts = (json.rcpt_response ?? []) as unknown[];
    for (const [i, seen] of this.rcptResponses.entries()) {
      demand(isDeepStrictEqual(rcpts[i], seen), `${where}: rcpt_response ${i} changed`);
    }
  }

  #checkBlobs(json: Json, where: string): void {
    const body = json.body as { blob_status?: object; message_builder?: { blob_status?: object } } | undefined;
    const parts = Object.entries(body?.message_builder?.blob_status ?? {});
    const all: [string, { uri: string; finalized?: boolean }][] =
      body?.blob_status === undefined ? parts : [['', body.blob_status as { uri: string }], ...parts];
    const now = new Map(
      all.map(([id, { uri, finalized }]) => [id, { path: new URL(uri).pathname, finalized: finalized === true }]),
    );
    for (const [id, seen] of this.#blobs) {
      demand(now.get(id)?.path === seen.path, `${where}: the path of blob ${id} changed or is gone`);
      demand(!seen.finalized || now.get(id)?.finalized === true, `${where}: blob ${id} is finalized no more`);
    }
    // The parts of a parsed message appear at once, when a receiver has got it; from then on they are the same.
    const hadParts = [...this.#blobs.keys()].some((id) => id !== '');
    const isSame = this.#blobs.size === now.size || (!hadParts && where === 'build');
    demand(this.#blobs.size === 0 || isSame, `${where}: other blobs than before`);
    this.#blobs = now;
  }
}

export function isOk({ code }: WireResponse): boolean {
  return code >= 200 && code <= 299;
}

function etagOf(answer: RawAnswer, where: string): string {
  const { etag } = answer.headers;
  demand(etag !== undefined && /^\d+$/.test(etag), `${where}: etag ${etag} is no bare number`);
  return etag;
}

function putOf(bytes: Buffer, start: number, end: number): RawAsk {
  const isLast = end === bytes.length;
  if (start === 0 && isLast) return { body: bytes };
  if (start === end) {
    return { headers: { 'x-finalize-blob-length': String(end), 'content-length': '0' } };
  }
  return {
    body: bytes.subarray(start, end),
    headers: { 'content-range': `bytes ${start}-${end - 1}/${isLast ? end : '*'}` },
  };
}

/** Without the header the original believes that all was stored. */
function storedOf(answer: RawAnswer, end: number): number {
  const header = answer.headers['content-range'];
  if (header === undefined) return end;
  const match = /^bytes 0-(\d+)\/(?:\d+|\*)$/.exec(header);
  demand(match !== null, `upload: content-range ${header}`);
  return Number(match[1]) + 1;
}
