/**
 * The original's outbound gateway in small, faults included: a hanging GET that comes to its end is a 500, an upload that does not begin
 * where the stored bytes end is a 416, the first ETag is 2, what it answers is never in step with what is asked (protocol 1.4, 1.6).
 */
import { type Answered, type Asked, type FakeUpstream, startFakeUpstream } from '../http/fake-upstream.ts';

export interface Delivery {
  readonly create: Record<string, unknown>;
  readonly bytes: Buffer;
}

export interface UpstreamGateway extends FakeUpstream {
  readonly delivered: readonly Delivery[];
  /** GETs that were answered with the 500. */
  readonly timeouts: () => number;
}

export interface UpstreamGatewayOptions {
  /** How long each SMTP step takes. */
  readonly stepMs?: number;
  /** How long a GET hangs at most, instead of what the client asks for. */
  readonly hangMs?: number;
  readonly dataResponse?: { readonly code: number; readonly message: string };
  /** Keeps only so many bytes of the first chunk, as after a broken connection. */
  readonly keepOfFirstChunk?: number;
}

interface Tx {
  etag: number;
  json: Record<string, unknown>;
  create: Record<string, unknown>;
  stored: Buffer;
  total: number | undefined;
  wake: () => void;
}

export async function startUpstreamGateway(options: UpstreamGatewayOptions = {}): Promise<UpstreamGateway> {
  const { stepMs = 0, hangMs = 200, dataResponse = { code: 250, message: '2.0.0 queued' } } = options;
  const txs = new Map<string, Tx>();
  const delivered: Delivery[] = [];
  let timeouts = 0;
  let keep = options.keepOfFirstChunk;

  const later = (tx: Tx, change: () => void): void => {
    setTimeout(() => {
      change();
      tx.etag += 1;
      tx.wake();
    }, stepMs);
  };
  const create = (asked: Asked): Answered => {
    const id = `tx${txs.size + 1}`;
    const { remote_host, local_host, rcpt_to } = asked.json as {
      remote_host?: unknown;
      local_host?: unknown;
      rcpt_to?: object[];
    };
    const json = { remote_host, local_host, mail_from: {}, sender: {}, rcpt_to: rcpt_to?.map(() => ({})) };
    const tx: Tx = {
      etag: 2,
      json: JSON.parse(JSON.stringify(json)),
      create: asked.json as Record<string, unknown>,
      stored: Buffer.alloc(0),
      total: undefined,
      wake: () => undefined,
    };
    txs.set(id, tx);
    later(tx, () => {
      tx.json.mail_response = { code: 250, message: 'ok' };
      if (rcpt_to !== undefined)
        later(tx, () => Object.assign(tx.json, { rcpt_response: rcpt_to.map(() => ({ code: 250, message: 'ok' })) }));
    });
    return { ...show(id, tx), status: 201, headers: { etag: '2', location: `${fake.url}/transactions/${id}` } };
  };
  const show = (id: string, tx: Tx): Answered => {
    const status = { uri: `${fake.url}/transactions/${id}/body`, ...(tx.total !== undefined && { finalized: true }) };
    return { status: 200, headers: { etag: String(tx.etag) }, json: { ...tx.json, body: { blob_status: status } } };
  };
  const get = async (id: string, tx: Tx, asked: Asked): Promise<Answered> => {
    if (asked.headers['if-none-match'] !== String(tx.etag)) return show(id, tx);
    const changed = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), hangMs);
      tx.wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
    if (changed) return show(id, tx);
    timeouts += 1;
    return { status: 500, text: 'timeout' };
  };
  const put = (tx: Tx, asked: Asked): Answered => {
    const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(asked.headers['content-range'] ?? '');
    const finalLength = asked.headers['x-finalize-blob-length'];
    const start = range === null ? (finalLength === undefined ? 0 : tx.stored.length) : Number(range[1]);
    if (start !== tx.stored.length || tx.total !== undefined) return { status: 416, headers: progress(tx) };
    tx.stored = Buffer.concat([tx.stored, asked.body.subarray(0, keep)]);
    const isCut = keep !== undefined;
    keep = undefined;
    if (!isCut && (range === null || range[3] !== '*')) {
      tx.total = tx.stored.length;
      tx.etag += 1;
      later(tx, () => {
        tx.json.data_response = dataResponse;
        delivered.push({ create: tx.create, bytes: tx.stored });
      });
    }
    return { status: 200, headers: progress(tx), json: {} };
  };
  const fake = await startFakeUpstream((asked) => {
    if (asked.method === 'POST' && asked.path.endsWith('/transactions')) return create(asked);
    const id = asked.path.split('/')[2] ?? '';
    const tx = txs.get(id);
    if (tx === undefined) return { status: asked.method === 'GET' ? 500 : 404 };
    if (asked.method === 'GET') return get(id, tx, asked);
    if (asked.method === 'PUT') return put(tx, asked);
    if (asked.method === 'PATCH') {
      if (asked.headers['content-type'] !== undefined) return { status: 400 };
      tx.etag += 1;
      return show(id, tx);
    }
    return { status: 200 };
  });
  return { ...fake, delivered, timeouts: () => timeouts };
}

function progress({ stored, total }: Tx): Record<string, string> {
  return { 'content-range': `bytes 0-${stored.length - 1}/${total ?? '*'}` };
}
