/** A REST peer that answers as the test says and remembers what it was asked; for the habits of peers that our own server does not have. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly json: unknown;
}

export interface Answered {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly text?: string;
}

/** `hangup` closes the connection without an answer. */
export type Script = (asked: Asked) => Answered | 'hangup' | Promise<Answered | 'hangup'>;

export interface FakeUpstream {
  readonly url: string;
  readonly asked: Asked[];
  /** `GET /transactions/1` and so on, in the order they came. */
  lines(): string[];
}

export async function startFakeUpstream(script: Script): Promise<FakeUpstream> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void buffer(request).then(
      async (body) => {
        const entry: Asked = {
          method: request.method ?? '',
          path: request.url ?? '',
          headers: request.headers,
          body,
          json: body.length > 0 && body[0] === 0x7b ? JSON.parse(body.toString()) : undefined,
        };
        asked.push(entry);
        const answer = await script(entry);
        if (answer === 'hangup') {
          request.socket.destroy();
          return;
        }
        const text = answer.json === undefined ? (answer.text ?? '') : JSON.stringify(answer.json);
        const type = answer.json === undefined ? {} : { 'content-type': 'application/json' };
        response.writeHead(answer.status, { ...type, ...answer.headers });
        response.end(answer.status === 304 ? undefined : text);
      },
      () => request.socket.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    lines: () => asked.map(({ method, path }) => `${method} ${path}`),
  };
}

/** An upstream that follows the protocol for one transaction; a test overrides what it is about by answering before. */
export interface UpstreamState {
  etag: number;
  json: Record<string, unknown>;
  stored: Buffer;
  total: number | undefined;
}

export function newUpstreamState(): UpstreamState {
  return { etag: 1, json: { sender: {} }, stored: Buffer.alloc(0), total: undefined };
}

/** The well-behaved answers: everything is accepted at once. */
export function behave(state: UpstreamState, asked: Asked): Answered {
  const { json } = state;
  if (asked.method === 'POST' && asked.path.endsWith('/cancel')) return { status: 200 };
  if (asked.method === 'PUT') return store(state, asked);
  if (asked.json !== undefined && asked.method === 'PATCH' && asked.headers['if-match'] !== String(state.etag)) {
    return { status: 412, text: 'update conflict' };
  }
  if (asked.method === 'POST' || asked.method === 'PATCH') {
    const { mail_from, rcpt_to } = (asked.json ?? {}) as { mail_from?: object; rcpt_to?: object[] };
    if (mail_from !== undefined) Object.assign(json, { mail_from: {}, mail_response: { code: 250, message: 'ok' } });
    for (const _ of rcpt_to ?? []) {
      json.rcpt_to = [...((json.rcpt_to as object[]) ?? []), {}];
      json.rcpt_response = [...((json.rcpt_response as object[]) ?? []), { code: 250, message: 'rcpt ok' }];
    }
    state.etag += 1;
  }
  const location = asked.method === 'POST' ? { location: '/transactions/1' } : {};
  return {
    status: asked.method === 'POST' ? 201 : 200,
    headers: { ...location, etag: String(state.etag) },
    json: { ...json, body: { blob_status: { uri: '/transactions/1/body' } } },
  };
}

function store(state: UpstreamState, asked: Asked): Answered {
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(asked.headers['content-range'] ?? '');
  const start = range === null ? 0 : Number(range[1]);
  if (start !== state.stored.length) return { status: 416, headers: progress(state) };
  state.stored = Buffer.concat([state.stored, asked.body]);
  const isLast = range === null || range[3] !== '*';
  if (isLast) {
    state.total = state.stored.length;
    state.json.data_response = { code: 250, message: '2.0.0 queued' };
    state.etag += 1;
  }
  return { status: 200, headers: progress(state), json: {} };
}

function progress({ stored, total }: UpstreamState): Record<string, string> {
  return stored.length === 0 ? {} : { 'content-range': `bytes 0-${stored.length - 1}/${total ?? '*'}` };
}
