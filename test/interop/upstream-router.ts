/**
 * The original's router in small, as its gateway sees it (protocol 1.3 to 1.6): versions that move by themselves, so that a PATCH may come
 * too late; list offsets that must fit; a PATCH that shows the message as if nothing were stored; another host in the URI of what is.
 */
import { type Answered, type Asked, type FakeUpstream, startFakeUpstream } from '../http/fake-upstream.ts';

export interface UpstreamRouter extends FakeUpstream {
  /** What was uploaded, complete. */
  readonly stored: readonly Buffer[];
  /** What a client did that the original would not take. */
  readonly complaints: readonly string[];
  /** PATCHes that met a newer version. */
  readonly conflicts: () => number;
}

const CREATABLE = new Set('remote_host local_host mail_from rcpt_to smtp_meta sender filter_output body'.split(' '));

interface Tx {
  etag: number;
  readonly json: Record<string, unknown>;
  readonly rcpts: string[];
  readonly responses: { code: number; message: string }[];
  bytes: Buffer;
  isFinal: boolean;
  patches: number;
  wake: () => void;
}

/** `answer` says what becomes of a recipient. */
export async function startUpstreamRouter(
  answer: (rcpt: string) => { code: number; message: string },
  stepMs = 20,
): Promise<UpstreamRouter> {
  const txs = new Map<string, Tx>();
  const stored: Buffer[] = [];
  const complaints: string[] = [];
  let conflicts = 0;
  const complain = (status: number, what: string): Answered => {
    complaints.push(what);
    return { status, text: what };
  };
  const bump = (tx: Tx): void => {
    tx.etag += 1;
    tx.wake();
  };
  const later = (tx: Tx, change: () => void): void => {
    setTimeout(() => {
      change();
      bump(tx);
    }, stepMs);
  };
  const view = (id: string, tx: Tx, isPatch = false): Answered => {
    const isShown = tx.isFinal && !isPatch;
    const base = isShown ? fake.url.replace('127.0.0.1', 'localhost') : fake.url;
    const status = { uri: `${base}/transactions/${id}/body`, ...(isShown && { finalized: true }) };
    const { rcpts, responses, json } = tx;
    const lists = {
      ...(rcpts.length > 0 && { rcpt_to: rcpts.map(() => ({})) }),
      ...(responses.length > 0 && { rcpt_response: responses }),
    };
    return {
      status: 200,
      headers: { etag: String(tx.etag) },
      json: { ...json, ...lists, sender: {}, body: { blob_status: status } },
    };
  };
  const create = (asked: Asked): Answered => {
    const json = asked.json as Record<string, unknown>;
    const wrong = Object.entries(json).find(([key, value]) => !CREATABLE.has(key) || value === null);
    if (wrong !== undefined) return complain(400, `create: ${wrong[0]}`);
    const { remote_host, local_host } = json;
    const id = `q${txs.size + 1}`;
    const tx: Tx = {
      etag: 1,
      json: { remote_host, local_host, mail_from: {} },
      rcpts: [],
      responses: [],
      bytes: Buffer.alloc(0),
      isFinal: false,
      patches: 0,
      wake: () => undefined,
    };
    txs.set(id, tx);
    later(tx, () => Object.assign(tx.json, { attempt_count: 1 }));
    later(tx, () => Object.assign(tx.json, { mail_response: { code: 250, message: 'MAIL ok (exploder noop)' } }));
    return { ...view(id, tx), status: 201, headers: { etag: '1', location: `${fake.url}/transactions/${id}` } };
  };
  const patch = (id: string, tx: Tx, asked: Asked): Answered => {
    const isHeartbeat = asked.body.length === 0;
    if (asked.headers['content-type'] !== (isHeartbeat ? undefined : 'application/json'))
      return complain(400, 'patch: content-type');
    if (!isHeartbeat) {
      const { rcpt_to, rcpt_to_list_offset, ...rest } = asked.json as Record<string, unknown>;
      if (Object.keys(rest).length > 0) return complain(400, `patch: ${Object.keys(rest).join()}`);
      // The attempt writes at the same moment: whoever has just seen a reply holds an old version.
      if (tx.patches === 0) bump(tx);
      tx.patches += 1;
      if (asked.headers['if-match'] !== String(tx.etag)) {
        conflicts += 1;
        return { status: 412, text: 'update conflict' };
      }
      if ((rcpt_to_list_offset ?? 0) !== tx.rcpts.length) return complain(500, 'timeout');
      const added = (rcpt_to as { m: string }[]).map(({ m }) => m);
      tx.rcpts.push(...added);
      later(tx, () => tx.responses.push(...added.map(answer)));
    }
    bump(tx);
    return view(id, tx, true);
  };
  const put = (tx: Tx, asked: Asked): Answered => {
    const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(asked.headers['content-range'] ?? '');
    const start = range === null ? 0 : Number(range[1]);
    if (start > tx.bytes.length)
      return { status: 416, headers: { 'content-range': `bytes 0-${tx.bytes.length - 1}/*` } };
    tx.bytes = Buffer.concat([tx.bytes, asked.body.subarray(tx.bytes.length - start)]);
    if (range === null || range[3] !== '*') {
      tx.isFinal = true;
      stored.push(tx.bytes);
      bump(tx);
      later(tx, () =>
        Object.assign(tx.json, {
          data_response: { code: 250, message: '2.6.0 first\n2.6.0 second' },
          final_attempt_reason: 'upstream response success',
        }),
      );
    }
    return {
      status: 200,
      headers: { 'content-range': `bytes 0-${tx.bytes.length - 1}/${tx.isFinal ? tx.bytes.length : '*'}` },
      json: {},
    };
  };
  const get = async (id: string, tx: Tx, asked: Asked): Promise<Answered> => {
    const match = asked.headers['if-none-match'];
    if (match !== String(tx.etag)) return view(id, tx);
    const changed = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), 1000);
      tx.wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
    return changed ? view(id, tx) : { status: 304, headers: { etag: match } };
  };
  const fake = await startFakeUpstream((asked) => {
    if (asked.method === 'POST' && asked.path.endsWith('/transactions')) return create(asked);
    const id = asked.path.split('/')[2] ?? '';
    const tx = txs.get(id);
    if (tx === undefined) return complain(404, `unknown ${asked.path}`);
    if (asked.method === 'GET') return get(id, tx, asked);
    if (asked.method === 'PATCH') return patch(id, tx, asked);
    return asked.method === 'PUT' ? put(tx, asked) : { status: 200 };
  });
  return { ...fake, stored, complaints, conflicts: () => conflicts };
}
