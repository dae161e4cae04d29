/**
 * The original's example sender in small (protocol 1.12): builder JSON posted as it is, files uploaded for every `create_id`, GETs with
 * `request-timeout: 5`; for every further recipient it names the first upload with `reuse_uri` beside the `create_id`.
 */
import { rawRequest } from '../http/raw-request.ts';
import type { Json, WireResponse } from './strict-client.ts';

export interface SendAsk {
  /** `http://router:8000/senders/app`. */
  readonly sender: string;
  readonly tag?: string;
  readonly mailFrom: string;
  readonly rcpts: readonly string[];
  readonly headers?: readonly (readonly [string, unknown])[];
  readonly parts?: readonly { readonly type: string; readonly id: string; readonly bytes: Buffer }[];
  /** A whole message instead of headers and parts. */
  readonly message?: Buffer;
}

export interface Sent {
  readonly verdict: 'success' | 'failure' | 'final';
  readonly json: Json;
}

interface BodyJson {
  readonly blob_status?: { readonly uri: string };
  readonly message_builder?: {
    readonly blob_status: Record<string, { readonly uri: string; readonly finalized?: boolean }>;
  };
}

export async function sendMessage(ask: SendAsk): Promise<Sent[]> {
  const uris = new Map<string, string>();
  const sent: Sent[] = [];
  for (const rcpt of ask.rcpts) sent.push(await sendOne(ask, rcpt, uris));
  return sent;
}

async function sendOne(ask: SendAsk, rcpt: string, uris: Map<string, string>): Promise<Sent> {
  const json = {
    mail_from: { m: ask.mailFrom },
    rcpt_to: [{ m: rcpt }],
    ...(ask.tag !== undefined && { sender: { tag: ask.tag } }),
    ...(ask.message === undefined ? { body: { message_builder: builderJson(ask, uris) } } : reusedBody(uris)),
  };
  const created = await rawRequest('POST', `${ask.sender}/transactions`, { body: json });
  if (created.status !== 201) throw new Error(`create: ${created.status} ${created.body}`);
  const location = created.headers.location ?? '';
  if (!location.startsWith('http')) throw new Error(`location ${location} is not absolute`);
  await uploadAll(ask, (created.json as { body: BodyJson }).body, uris);
  return follow(location);
}

function reusedBody(uris: Map<string, string>): Json {
  const uri = uris.get('');
  return uri === undefined ? {} : { body: { reuse_uri: uri } };
}

function builderJson({ headers = [], parts = [] }: SendAsk, uris: Map<string, string>): Json {
  const dated = [['date', { unix_secs: 1_767_225_600 }] as const, ['message-id', ['id@app.test']] as const];
  return {
    headers: [...headers, ...dated],
    text_body: [{ content_type: 'text/plain', content: { inline: 'hello' } }],
    file_attachments: parts.map(({ type, id }) => {
      const reuse = uris.get(id);
      return { content_type: type, content: { create_id: id, ...(reuse !== undefined && { reuse_uri: reuse }) } };
    }),
  };
}

async function uploadAll({ parts = [], message }: SendAsk, body: BodyJson, uris: Map<string, string>): Promise<void> {
  if (message !== undefined) {
    const uri = body.blob_status?.uri ?? '';
    if (!uris.has('')) await put(uri, message);
    uris.set('', uri);
    return;
  }
  for (const { id, bytes } of parts) {
    const status = body.message_builder?.blob_status[id];
    if (status === undefined) throw new Error(`no blob_status for ${id}: ${JSON.stringify(body)}`);
    if (uris.has(id)) {
      if (status.finalized !== true) throw new Error(`the reused ${id} is not finalized`);
      continue;
    }
    await put(status.uri, bytes);
    uris.set(id, status.uri);
  }
}

async function put(uri: string, bytes: Buffer): Promise<void> {
  const { status, body } = await rawRequest('PUT', uri, { body: bytes });
  if (status !== 200) throw new Error(`PUT ${uri}: ${status} ${body}`);
}

const POLLS_MAX = 60;

async function follow(url: string): Promise<Sent> {
  let etag: string | undefined;
  let json: Json = {};
  for (let round = 0; round < POLLS_MAX; round += 1) {
    const headers = { 'request-timeout': '5', ...(etag !== undefined && { 'if-none-match': etag }) };
    const answer = await rawRequest('GET', url, { headers });
    if (answer.status !== 200 && answer.status !== 304) throw new Error(`GET: ${answer.status} ${answer.body}`);
    if (answer.status === 200) json = answer.json as Json;
    else await new Promise((resolve) => setTimeout(resolve, 150));
    etag = answer.headers.etag;
    const responses = [json.mail_response, ...((json.rcpt_response ?? []) as unknown[]), json.data_response];
    const codes = (responses as (WireResponse | undefined)[]).map((response) => response?.code ?? 0);
    if (codes.some((code) => code >= 500)) return { verdict: 'failure', json };
    const data = codes.at(-1) ?? 0;
    if (data !== 0 && data < 300) return { verdict: 'success', json };
    if (json.final_attempt_reason !== undefined) return { verdict: 'final', json };
  }
  throw new Error(`no verdict: ${JSON.stringify(json)}`);
}
