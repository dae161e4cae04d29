/** A router as `koukan send` sees it, in a hundred lines: it keeps what it is told and answers by the local part of the recipient. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

// biome-ignore lint/suspicious/noExplicitAny: the tests look at JSON of many shapes
type Json = any;

interface Transaction {
  readonly json: Json;
  readonly rcpt: string;
  readonly uploads: Map<string, Buffer>;
  readonly blobs: readonly string[];
  etag: number;
}

const REPLIES: Readonly<Record<string, object>> = {
  ok: { data_response: { code: 250, message: '2.0.0 queued as 1' }, final_attempt_reason: 'upstream response success' },
  nouser: { rcpt_response: [{ code: 550, message: '5.1.1 no such user' }], final_attempt_reason: 'permfail' },
  nohost: { rcpt_response: [{ code: 550, message: '5.1.2 no such host' }], final_attempt_reason: 'permfail' },
  spam: { data_response: { code: 554, message: '5.7.1 spam' }, final_attempt_reason: 'permfail' },
  later: { rcpt_response: [{ code: 450, message: '4.2.1 later' }], retry: {} },
  given: { data_response: { code: 451, message: '4.0.0 x' }, final_attempt_reason: 'retry policy max attempts' },
  silent: {},
};

export class FakeRouter {
  readonly transactions: Transaction[] = [];
  /** Method and path of each request. */
  readonly calls: string[] = [];
  /** Answers the next uploads with this status instead. */
  uploadStatus: number | undefined;
  /** Answers the next hanging GET with 500, as some gateways do. */
  failsHanging = false;
  readonly #server: Server;
  #port = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    });
  }

  static async start(): Promise<FakeRouter> {
    const router = new FakeRouter();
    await new Promise<void>((resolve) => router.#server.listen(0, '127.0.0.1', resolve));
    router.#port = (router.#server.address() as AddressInfo).port;
    return router;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const entity = Buffer.concat(chunks);
    const path = request.url ?? '';
    this.calls.push(`${request.method} ${path}`);
    const [, collection, id, kind, name = kind] = path.split('/');
    if (collection === 'senders') return this.#create(id ?? '', entity, response);
    const tx = this.transactions[Number(id)];
    if (tx === undefined) return void response.writeHead(404).end('unknown tx');
    if (request.method === 'PUT') return this.#upload(tx, name ?? '', entity, response);
    if (kind === 'cancel') return void response.writeHead(200).end();
    this.#read(tx, Number(id), request, response);
  }

  #create(sender: string, entity: Buffer, response: ServerResponse): void {
    if (sender !== 'submission') return void answer(response, 404, { detail: `no such sender: ${sender}` });
    const json = JSON.parse(entity.toString());
    const rcpt = json.rcpt_to[0].m as string;
    if (rcpt.startsWith('bad')) {
      return void answer(response, 400, { detail: 'must be better', pointer: '/rcpt_to/0/m' });
    }
    const builder = json.body?.message_builder;
    const parts = ['text_body', 'related_attachments', 'file_attachments'].flatMap((list) => builder?.[list] ?? []);
    const blobs =
      builder === undefined ? ['body'] : parts.map((part: Json, i: number) => part.content.create_id ?? `inline${i}`);
    const tx = { json, rcpt, uploads: new Map<string, Buffer>(), blobs, etag: 1 };
    const id = this.transactions.push(tx) - 1;
    answer(response, 201, this.#view(tx, id), { location: `/transactions/${id}`, etag: '1' });
  }

  #upload(tx: Transaction, name: string, entity: Buffer, response: ServerResponse): void {
    if (this.uploadStatus !== undefined) return void answer(response, this.uploadStatus, { detail: 'not now' });
    tx.uploads.set(name, entity);
    tx.etag += 1;
    answer(response, 200, {}, { 'content-range': `bytes 0-${entity.length - 1}/${entity.length}` });
  }

  #read(tx: Transaction, id: number, request: IncomingMessage, response: ServerResponse): void {
    const known = request.headers['if-none-match'];
    if (known !== undefined && this.failsHanging) {
      this.failsHanging = false;
      return void response.writeHead(500).end();
    }
    if (known !== undefined && tx.rcpt.startsWith('silent')) return void response.writeHead(304, { etag: known }).end();
    tx.etag += 1;
    const outcome = REPLIES[tx.rcpt.split('@')[0] ?? ''] ?? {};
    answer(response, 200, { ...this.#view(tx, id), ...outcome }, { etag: String(tx.etag) });
  }

  #view(tx: Transaction, id: number): object {
    const status = (name: string): object => ({
      uri: `${this.url}/transactions/${id}/${name === 'body' ? 'body' : `blob/${name}`}`,
    });
    const isBuilder = tx.json.body?.message_builder !== undefined;
    const body = isBuilder
      ? { message_builder: { blob_status: Object.fromEntries(tx.blobs.map((name) => [name, status(name)])) } }
      : { blob_status: status('body') };
    return { mail_from: {}, rcpt_to: [{}], sender: {}, body };
  }
}

function answer(response: ServerResponse, status: number, json: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(json));
}
