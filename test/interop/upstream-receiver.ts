/**
 * The original's example receiver in small (protocol 1.8, 1.9, 1.11, 1.12): exact content types, no content type on a heartbeat, one
 * recipient, no ranges (those of the body are dropped with a 200), parts that must have content, an ETag that a PUT does not move, a GET that
 * never hangs, and a message that is complete with its body, whatever is missing then.
 */
import { type Answered, type Asked, type FakeUpstream, startFakeUpstream } from '../http/fake-upstream.ts';
import type { Json } from './strict-client.ts';

export interface Received {
  readonly create: Json;
  readonly filterOutput: Json;
  readonly parsed: Json | undefined;
  /** The parts that were uploaded, by id. */
  readonly blobs: Readonly<Record<string, Buffer>>;
  readonly body: Buffer;
}

export interface UpstreamReceiver extends FakeUpstream {
  /** The messages whose record it could write. */
  readonly received: readonly Received[];
  /** What a client did that the receiver refuses or silently gets wrong. */
  readonly complaints: readonly string[];
}

export interface UpstreamReceiverOptions {
  /** Answers a request in the receiver's place; whether it hears of it (`real`) is up to the test. */
  readonly instead?: (asked: Asked, real: () => Answered) => Answered | 'hangup' | undefined;
  /** Writes a URI; the path must stay what it is. */
  readonly uri?: (base: string, path: string) => string;
}

const CREATABLE = new Set('remote_host local_host mail_from rcpt_to smtp_meta sender filter_output body'.split(' '));
const FLAT = ['text_body', 'related_attachments', 'file_attachments'];
const OK = { code: 250, message: 'ok' };

interface Tx {
  readonly id: string;
  readonly create: Json;
  etag: number;
  filterOutput: Json | undefined;
  parsed: Json | undefined;
  /** `undefined` while it is awaited; inline text is there from the start. */
  readonly blobs: Map<string, Buffer | undefined>;
  body: Buffer | undefined;
  isCancelled: boolean;
}

/** What is wrong with a part, as the status that the receiver answers with; collects what it has to wait for. */
function checkPart(part: Json, blobs: Tx['blobs']): 400 | 500 | undefined {
  if (Array.isArray(part.parts)) {
    for (const each of part.parts as Json[]) {
      const wrong = checkPart(each, blobs);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
  const content = part.content as Json | undefined;
  if (content === undefined) return 500;
  const { inline, create_id: id } = content;
  if (typeof inline === 'string' && inline !== '') {
    const inlines = [...blobs.keys()].filter((each) => each.startsWith('inline')).length;
    blobs.set(`inline${inlines}`, Buffer.from(inline));
  } else if (typeof id === 'string' && id !== '') {
    if (!blobs.has(id)) blobs.set(id, undefined);
  } else return 400;
  return undefined;
}

function checkParts(parsed: Json, blobs: Tx['blobs']): 400 | 500 | undefined {
  if (typeof parsed.parts !== 'object' || parsed.parts === null) return 500;
  const flat = FLAT.flatMap((key) => (parsed[key] ?? []) as Json[]);
  for (const part of [parsed.parts as Json, ...flat]) {
    const wrong = checkPart(part, blobs);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

export async function startUpstreamReceiver(options: UpstreamReceiverOptions = {}): Promise<UpstreamReceiver> {
  const { instead = () => undefined, uri = (base, path) => `${base}${path}` } = options;
  const txs = new Map<string, Tx>();
  const received: Received[] = [];
  const complaints: string[] = [];
  const complain = (status: number, what: string): Answered => {
    complaints.push(what);
    return { status, text: what };
  };

  const view = ({ id, create, body, etag, filterOutput, parsed, blobs }: Tx): Answered => {
    const at = (path: string): string => uri(fake.url, `/transactions/${id}/${path}`);
    const status = [...blobs].map(([name, bytes]) => [
      name,
      { uri: at(`blob/${name}`), finalized: bytes !== undefined },
    ]);
    const json = {
      ...(create.remote_host !== undefined && { remote_host: create.remote_host }),
      ...(create.local_host !== undefined && { local_host: create.local_host }),
      mail_from: {},
      rcpt_to: [{}],
      sender: {},
      ...(filterOutput !== undefined && { filter_output: {} }),
      mail_response: OK,
      rcpt_response: [OK],
      ...(body !== undefined && { data_response: { code: 250, message: 'received' } }),
      body: {
        blob_status: { uri: at('body'), finalized: body !== undefined },
        message_builder:
          parsed === undefined ? { uri: at('message_builder') } : { blob_status: Object.fromEntries(status) },
      },
    };
    return { status: 200, headers: { etag: String(etag) }, json };
  };
  const create = (asked: Asked): Answered => {
    if (asked.headers['content-type'] !== 'application/json') return complain(415, 'create: content-type');
    const json = asked.json as Json;
    const unknown = Object.keys(json).find((key) => !CREATABLE.has(key));
    if (unknown !== undefined) return complain(400, `create: ${unknown}`);
    if ((json.rcpt_to as unknown[] | undefined)?.length !== 1) return complain(400, 'create: not one recipient');
    const id = `r${txs.size + 1}`;
    const tx: Tx = {
      id,
      create: json,
      etag: 1,
      filterOutput: json.filter_output as Json | undefined,
      parsed: undefined,
      blobs: new Map(),
      body: undefined,
      isCancelled: false,
    };
    txs.set(id, tx);
    return { ...view(tx), status: 201, headers: { etag: '1', location: `${fake.url}/transactions/${id}` } };
  };
  const patch = (tx: Tx, asked: Asked): Answered => {
    const type = asked.headers['content-type'];
    if (asked.body.length === 0) {
      if (type !== undefined) return complain(400, 'heartbeat: content-type');
    } else {
      if (type !== 'application/json') return complain(400, 'patch: content-type');
      if (asked.headers['if-match'] !== String(tx.etag)) return complain(412, 'patch: if-match');
      const { filter_output, ...rest } = asked.json as Json;
      const other = Object.keys(rest).join();
      if (filter_output === undefined || other !== '') return complain(400, `patch: ${other}`);
      tx.filterOutput = { ...tx.filterOutput, ...(filter_output as Json) };
    }
    tx.etag += 1;
    return view(tx);
  };
  const build = (tx: Tx, asked: Asked): Answered => {
    if (asked.headers['content-type'] !== 'application/json') return complain(415, 'builder: content-type');
    if (asked.headers['if-match'] !== String(tx.etag)) return complain(412, 'builder: if-match');
    if (tx.isCancelled || tx.parsed !== undefined) return complain(500, 'builder: not now');
    // It is kept before it is looked at, also when it is refused then.
    tx.parsed = asked.json as Json;
    const wrong = checkParts(tx.parsed, tx.blobs);
    if (wrong !== undefined) return complain(wrong, `builder: bad part (${wrong})`);
    tx.etag += 1;
    return view(tx);
  };
  const putBlob = (tx: Tx, asked: Asked): Answered => {
    const id = decodeURIComponent(asked.path.split('/').at(-1) ?? '');
    if (tx.isCancelled) return complain(400, 'blob: cancelled');
    if (!tx.blobs.has(id)) return complain(404, `blob: unknown ${id}`);
    if (tx.blobs.get(id) !== undefined) return complain(400, 'blob: exists');
    if (asked.headers['content-range'] !== undefined) return complain(400, 'blob: content-range');
    if (asked.headers['content-length'] === undefined) complaints.push('blob: no content-length');
    tx.blobs.set(id, asked.body);
    return { status: 200, text: 'ok' };
  };
  const putBody = (tx: Tx, asked: Asked): Answered => {
    const wrong = tx.isCancelled || tx.body !== undefined || asked.headers['content-range'] !== undefined;
    if (wrong) complaints.push('body: cancelled, here already, or content-range');
    if (wrong) return { status: 200 };
    tx.body = asked.body;
    // From here on it says 250, even when it stumbles over a part that is not there.
    const missing = [...tx.blobs].find(([, bytes]) => bytes === undefined)?.[0];
    if (missing !== undefined) return complain(500, `body: before part ${missing}`);
    const blobs = Object.fromEntries(tx.blobs) as Record<string, Buffer>;
    const { create: created, filterOutput = {}, parsed } = tx;
    received.push({ create: created, filterOutput, parsed, blobs, body: asked.body });
    return { status: 200 };
  };
  const act = (asked: Asked): Answered => {
    if (asked.method === 'POST' && asked.path.endsWith('/transactions')) return create(asked);
    const [, , id = '', what] = asked.path.split('/');
    const tx = txs.get(id);
    if (tx === undefined) return complain(500, `unknown ${asked.path}`);
    if (asked.method === 'GET') return view(tx);
    if (asked.method === 'PATCH') return patch(tx, asked);
    if (asked.method === 'PUT') return what === 'blob' ? putBlob(tx, asked) : putBody(tx, asked);
    if (what === 'message_builder') return build(tx, asked);
    tx.isCancelled = true;
    return { status: 200 };
  };
  const fake = await startFakeUpstream((asked) => instead(asked, () => act(asked)) ?? act(asked));
  return { ...fake, received, complaints };
}
