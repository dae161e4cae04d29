/**
 * The original's example receiver in small (protocol 1.8, 1.12): exact content types, no content type on a heartbeat, one recipient, no
 * ranges (those of the body are dropped with a 200), an ETag that a PUT does not move, and a message that is complete with its body.
 */
import { type Answered, type Asked, type FakeUpstream, startFakeUpstream } from '../http/fake-upstream.ts';

export interface Received {
  readonly create: Record<string, unknown>;
  readonly body: Buffer;
}

export interface UpstreamReceiver extends FakeUpstream {
  readonly received: readonly Received[];
  /** What a client did that the receiver refuses or silently gets wrong. */
  readonly complaints: readonly string[];
}

const CREATABLE = new Set('remote_host local_host mail_from rcpt_to smtp_meta sender filter_output body'.split(' '));

interface Tx {
  etag: number;
  readonly create: Record<string, unknown>;
  body: Buffer | undefined;
}

export async function startUpstreamReceiver(): Promise<UpstreamReceiver> {
  const txs = new Map<string, Tx>();
  const received: Received[] = [];
  const complaints: string[] = [];
  const complain = (status: number, what: string): Answered => {
    complaints.push(what);
    return { status, text: what };
  };

  const view = (id: string, { create, body, etag }: Tx): Answered => {
    const base = `${fake.url}/transactions/${id}`;
    const json = {
      ...(create.remote_host !== undefined && { remote_host: create.remote_host }),
      ...(create.local_host !== undefined && { local_host: create.local_host }),
      mail_from: {},
      rcpt_to: [{}],
      sender: {},
      ...(create.filter_output !== undefined && { filter_output: {} }),
      mail_response: { code: 250, message: 'ok' },
      rcpt_response: [{ code: 250, message: 'ok' }],
      ...(body !== undefined && { data_response: { code: 250, message: 'received' } }),
      body: {
        blob_status: { uri: `${base}/body`, finalized: body !== undefined },
        message_builder: { uri: `${base}/message_builder` },
      },
    };
    return { status: 200, headers: { etag: String(etag) }, json };
  };
  const create = (asked: Asked): Answered => {
    if (asked.headers['content-type'] !== 'application/json') return complain(415, 'create: content-type');
    const json = asked.json as Record<string, unknown>;
    const unknown = Object.keys(json).find((key) => !CREATABLE.has(key));
    if (unknown !== undefined) return complain(400, `create: ${unknown}`);
    if ((json.rcpt_to as unknown[] | undefined)?.length !== 1) return complain(400, 'create: not one recipient');
    const id = `r${txs.size + 1}`;
    const tx: Tx = { etag: 1, create: json, body: undefined };
    txs.set(id, tx);
    return { ...view(id, tx), status: 201, headers: { etag: '1', location: `${fake.url}/transactions/${id}` } };
  };
  const patch = (id: string, tx: Tx, asked: Asked): Answered => {
    if (asked.body.length === 0 && asked.headers['content-type'] !== undefined)
      return complain(400, 'heartbeat: content-type');
    if (asked.body.length > 0 && asked.headers['if-match'] !== String(tx.etag)) return complain(412, 'patch: if-match');
    tx.etag += 1;
    return view(id, tx);
  };
  const put = (tx: Tx, asked: Asked): Answered => {
    if (asked.path.includes('/blob/')) return complain(asked.headers['content-range'] ? 400 : 404, 'blob');
    if (asked.headers['content-range'] !== undefined) {
      complaints.push('body: content-range');
      return { status: 200, json: {} };
    }
    tx.body = asked.body;
    received.push({ create: tx.create, body: asked.body });
    return { status: 200, json: {} };
  };
  const fake = await startFakeUpstream((asked) => {
    if (asked.method === 'POST' && asked.path.endsWith('/transactions')) return create(asked);
    const id = asked.path.split('/')[2] ?? '';
    const tx = txs.get(id);
    if (tx === undefined) return complain(404, `unknown ${asked.path}`);
    if (asked.method === 'GET') return view(id, tx);
    if (asked.method === 'PATCH') return patch(id, tx, asked);
    return asked.method === 'PUT' ? put(tx, asked) : { status: 200 };
  });
  return { ...fake, received, complaints };
}
