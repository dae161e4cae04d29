import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { RedirectProblem, type UploadAsk } from '../../src/lib/http/service.ts';
import { MemoryService } from '../helpers/memory-service.ts';
import { newGate } from './gate.ts';
import { type RawAsk, rawRequest } from './raw-request.ts';
import { startRestServer } from './rest-server.ts';

async function* pieces(...texts: string[]): AsyncGenerator<Buffer> {
  for (const piece of texts) yield Buffer.from(piece);
}

/** A server with one transaction that waits for its message, and a way to PUT to it. */
async function withTransaction(...args: Parameters<typeof startRestServer>) {
  const running = await startRestServer(...args);
  await rawRequest('POST', `${running.url}/senders/news/transactions`, { body: { mail_from: { m: '' } } });
  const put = (ask: RawAsk, path = 'body') => rawRequest('PUT', `${running.url}/transactions/tx1/${path}`, ask);
  const stored = (): string => Buffer.concat(running.service.latest.blobs.get('')?.parts ?? []).toString();
  const isFinal = (): boolean => {
    const blob = running.service.latest.blobs.get('');
    return blob !== undefined && blob.total === blob.length;
  };
  return { ...running, put, stored, isFinal };
}

describe('uploading a message', () => {
  it.each([
    ['with a Content-Length', { body: 'hello' }],
    ['chunked', { body: pieces('hel', 'lo') }],
    ['as JSON, which is not looked into', { body: 'hello', headers: { 'content-type': 'application/json' } }],
    ['in a content type nobody knows', { body: 'hello', headers: { 'content-type': 'x/y; z=1' } }],
  ])('takes it whole, %s, and finalizes it', async (_, ask) => {
    const { put, stored, isFinal } = await withTransaction();
    const answer = await put(ask);
    expect(answer).toMatchObject({ status: 200, json: {}, headers: { 'content-range': 'bytes 0-4/5' } });
    expect(answer.headers['content-type']).toBe('application/json');
    expect(stored()).toBe('hello');
    expect(isFinal()).toBe(true);
  });

  it('shows the message as complete to whoever asks after the PUT was answered', async () => {
    const { url, put } = await withTransaction();
    await put({ body: 'hello' });
    const { json } = await rawRequest('GET', `${url}/transactions/tx1`);
    expect(json).toMatchObject({ body: { blob_status: { finalized: true } } });
  });

  it.each([
    ['with Content-Length', (text: string) => text],
    ['chunked', (text: string) => pieces(text.slice(0, 1), text.slice(1))],
  ])('takes ranges %s and says how far it got', async (_, entity) => {
    const { put, stored, isFinal } = await withTransaction();
    const first = await put({ body: entity('hello '), headers: { 'content-range': 'bytes 0-5/*' } });
    expect(first.headers['content-range']).toBe('bytes 0-5/*');
    expect(isFinal()).toBe(false);
    const second = await put({ body: entity('world'), headers: { 'content-range': 'bytes 6-10/11' } });
    expect(second).toMatchObject({ status: 200, headers: { 'content-range': 'bytes 0-10/11' } });
    expect(stored()).toBe('hello world');
    expect(isFinal()).toBe(true);
  });

  it('finalizes by length, without data', async () => {
    const { put, isFinal } = await withTransaction();
    await put({ body: 'hello', headers: { 'content-range': 'bytes 0-4/*' } });
    expect((await put({ headers: { 'x-finalize-blob-length': '9' } })).status).toBe(416);
    expect((await put({ headers: { 'x-finalize-blob-length': '4' } })).status).toBe(416);
    const done = await put({ headers: { 'x-finalize-blob-length': '5' } });
    expect(done).toMatchObject({ status: 200, headers: { 'content-range': 'bytes 0-4/5' } });
    expect(isFinal()).toBe(true);
  });

  it('takes an empty message, and says nothing of its range', async () => {
    const { put, isFinal } = await withTransaction();
    const answer = await put({ headers: { 'content-length': '0' } });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-range']).toBeUndefined();
    expect(isFinal()).toBe(true);
  });

  it('tells with 416 where to resume', async () => {
    const { put } = await withTransaction();
    await put({ body: 'hello', headers: { 'content-range': 'bytes 0-4/*' } });
    const gap = await put({ body: 'x', headers: { 'content-range': 'bytes 9-9/*' } });
    expect(gap).toMatchObject({ status: 416, headers: { 'content-range': 'bytes 0-4/*' } });
  });

  it.each([
    ['a range it cannot read', { body: 'x', headers: { 'content-range': 'bytes x' } }],
    ['a range without bytes', { body: 'x', headers: { 'content-range': 'bytes */5' } }],
    ['a range of another length', { body: 'xyz', headers: { 'content-range': 'bytes 0-0/*' } }],
    ['more chunked bytes than the range has', { body: pieces('xy', 'z'), headers: { 'content-range': 'bytes 0-1/*' } }],
    ['fewer chunked bytes than the range has', { body: pieces('x'), headers: { 'content-range': 'bytes 0-1/2' } }],
    ['a final length that is none', { headers: { 'x-finalize-blob-length': 'five' } }],
    ['a final length with data', { body: 'x', headers: { 'x-finalize-blob-length': '1' } }],
    ['a final length with chunked data', { body: pieces('x'), headers: { 'x-finalize-blob-length': '0' } }],
  ])('refuses %s with 400 and does not finalize', async (_, ask) => {
    const { put, isFinal, log } = await withTransaction();
    const answer = await put(ask);
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(isFinal()).toBe(false);
    expect(log.lines).toEqual([]);
  });

  it.each([
    ['declared', { body: Buffer.alloc(2000) }],
    ['ranged', { body: Buffer.alloc(500), headers: { 'content-range': 'bytes 501-1000/*' } }],
    ['of a declared total', { body: Buffer.alloc(1), headers: { 'content-range': 'bytes 0-0/1001' } }],
    ['chunked', { body: pieces('x'.repeat(600), 'x'.repeat(600)) }],
  ])('refuses too large a message with 413: %s', async (_, ask) => {
    const { put } = await withTransaction({}, { bodyLimits: { blobBytes: 1000 } });
    expect((await put(ask)).status).toBe(413);
  });

  it('answers 404 for an unknown transaction, an undeclared part, and a body that begins in the middle', async () => {
    const { url, put } = await withTransaction();
    expect((await put({ body: 'x' }, 'blob/none')).status).toBe(404);
    expect((await put({ body: 'x', headers: { 'content-range': 'bytes 5-5/*' } })).status).toBe(404);
    expect((await rawRequest('PUT', `${url}/transactions/none/body`, { body: 'x' })).status).toBe(404);
  });

  it('stores a declared part under its decoded name', async () => {
    const { url, service } = await startRestServer();
    const part = { content_type: 'image/png', content: { create_id: 'a b/c' } };
    const body = { body: { message_builder: { file_attachments: [part] } } };
    const { json } = await rawRequest('POST', `${url}/senders/news/transactions`, { body });
    const { uri } = (json as { body: { message_builder: { blob_status: Record<string, { uri: string }> } } }).body
      .message_builder.blob_status['a b/c'] as { uri: string };
    expect((await rawRequest('PUT', uri, { body: 'png' })).status).toBe(200);
    expect(service.latest.blobs.get('a b/c')?.length).toBe(3);
  });

  it('redirects an upload before reading it, and the connection survives', async () => {
    class Elsewhere extends MemoryService {
      override upload(): Promise<never> {
        return Promise.reject(new RedirectProblem('http://other:8000'));
      }
    }
    const { url } = await startRestServer({}, { service: new Elsewhere() });
    const answer = await rawRequest('PUT', `${url}/transactions/tx1/body`, { body: Buffer.alloc(10_000_000) });
    expect(answer).toMatchObject({
      status: 308,
      headers: { location: 'http://other:8000/transactions/tx1/body' },
    });
  });

  it('keeps the prefix of a broken upload, unfinalized, and lets it be repeated', async () => {
    const ended = newGate();
    class Watched extends MemoryService {
      override async upload(id: string, blob: string | undefined, ask: UploadAsk) {
        try {
          return await super.upload(id, blob, ask);
        } finally {
          ended.open();
        }
      }
    }
    const service = new Watched();
    const { url, log } = await startRestServer({}, { service });
    await rawRequest('POST', `${url}/senders/news/transactions`, { body: { mail_from: { m: '' } } });
    const broken = request(`${url}/transactions/tx1/body`, { method: 'PUT', headers: { 'content-length': '10' } });
    broken.on('error', () => undefined);
    broken.write('hello', () => broken.destroy());
    await ended.opened;
    expect(service.latest.blobs.get('')?.total).toBeUndefined();
    const again = await rawRequest('PUT', `${url}/transactions/tx1/body`, { body: 'helloworld' });
    expect(again).toMatchObject({ status: 200, headers: { 'content-range': 'bytes 0-9/10' } });
    expect(log.lines).toEqual([]);
  });

  it('streams: the service reads while the client still sends', async () => {
    const firstRead = newGate();
    const hash = createHash('sha256');
    class Reading extends MemoryService {
      override async upload(_id: string, _blob: string | undefined, ask: UploadAsk) {
        let length = 0;
        for await (const chunk of ask.bytes) {
          length += chunk.length;
          hash.update(chunk);
          firstRead.open();
        }
        return { length, total: length };
      }
    }
    const { url } = await startRestServer({}, { service: new Reading() });
    async function* slowly(): AsyncGenerator<Buffer> {
      yield Buffer.from('first');
      await firstRead.opened;
      yield Buffer.from('second');
    }
    expect((await rawRequest('PUT', `${url}/transactions/tx1/body`, { body: slowly() })).status).toBe(200);
    expect(hash.digest('hex')).toBe(createHash('sha256').update('firstsecond').digest('hex'));
  });
});
