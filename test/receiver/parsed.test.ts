/** What a receiver makes of a parsed message: versions, repetitions, order, odd parts, and JSON that is none. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ReceivedMessage } from '../../src/lib/receiver/received-message.ts';
import { createReceiver, type Receiver } from '../../src/lib/receiver/receiver.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { memoryLog, realClock, seededRng } from '../helpers/fake-deps.ts';
import { newGate } from '../http/gate.ts';
import { type RawAnswer, rawRequest } from '../http/raw-request.ts';

const ENVELOPE = { mail_from: { m: 'ann@far.test' }, rcpt_to: [{ m: 'app@dest.test' }] };
const PARSED = {
  parts: {
    headers: [],
    content_type: 'multipart/mixed',
    parts: [{ content_type: 'a/b', content: { create_id: '0' } }],
  },
};
let dir: string;
let receiver: Receiver;
let messages: ReceivedMessage[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'koukan-receiver-'));
  messages = [];
});
afterEach(async () => {
  await receiver.close();
  await rm(dir, { recursive: true, force: true });
});

async function start(clock = realClock, idleMs = 300_000): Promise<void> {
  const onMessage = (message: ReceivedMessage): void => void messages.push(message);
  const deps = { clock, rng: seededRng(1), log: memoryLog() };
  receiver = await createReceiver({ dir, port: 0, onMessage, idleMs }, deps);
}

interface Created {
  readonly uri: string;
  readonly etag: string;
}

async function create(json: object = ENVELOPE): Promise<Created> {
  const { status, headers } = await rawRequest('POST', receiver.url, { body: json });
  expect(status).toBe(201);
  return { uri: headers.location ?? '', etag: headers.etag ?? '' };
}

const announce = (uri: string, body: object | string, ifMatch?: string, method = 'POST'): Promise<RawAnswer> =>
  rawRequest(method, `${uri}/message_builder`, {
    body,
    ...(ifMatch !== undefined && { headers: { 'if-match': ifMatch } }),
  });
const put = (uri: string, path: string, bytes: string): Promise<RawAnswer> =>
  rawRequest('PUT', `${uri}/${path}`, { body: Buffer.from(bytes) });
const dataCode = async (uri: string): Promise<unknown> =>
  ((await rawRequest('GET', uri)).json as { data_response?: { code: number } }).data_response?.code;

describe('a parsed message at a receiver', () => {
  it('must be announced for the newest version, unless it is the very same again', async () => {
    await start();
    const { uri, etag } = await create();
    const moved = await rawRequest('PATCH', uri, { body: { filter_output: { a: 1 } }, headers: { 'if-match': etag } });
    expect((await announce(uri, PARSED, etag)).status).toBe(412);
    const taken = await announce(uri, PARSED, `"${moved.headers.etag}"`);
    expect([taken.status, taken.headers.etag === moved.headers.etag]).toEqual([200, false]);
    const again = await announce(uri, PARSED, etag);
    expect([again.status, again.headers.etag]).toEqual([200, taken.headers.etag]);
    expect((await announce(uri, { parts: {} }, taken.headers.etag)).status).toBe(409);
  });

  it('may be announced by PUT, and by hand without a version', async () => {
    await start();
    const { uri } = await create();
    expect((await announce(uri, PARSED, undefined, 'PUT')).status).toBe(200);
    await put(uri, 'blob/0', 'x');
    await put(uri, 'body', 'Subject: x\r\n\r\n');
    expect(await dataCode(uri)).toBe(250);
    const [message] = messages;
    expect(JSON.parse(await readFile(message?.parsedFile ?? '', 'utf8'))).toEqual(PARSED);
  });

  it('waits for parts that come after the message, in ranges, in one stream, empty', async () => {
    await start();
    const parts = ['0', '1', '2'].map((create_id) => ({ content: { create_id } }));
    const { uri } = await create();
    await announce(uri, { parts: { parts }, file_attachments: [{ content: { create_id: '3' } }] });
    await put(uri, 'body', 'Subject: x\r\n\r\n');
    const range = { body: Buffer.from('abc'), headers: { 'content-range': 'bytes 0-2/*' } };
    expect((await rawRequest('PUT', `${uri}/blob/0`, range)).headers['content-range']).toBe('bytes 0-2/*');
    const rest = { body: Buffer.from('de'), headers: { 'content-range': 'bytes 3-4/5' } };
    expect((await rawRequest('PUT', `${uri}/blob/0`, rest)).headers['content-range']).toBe('bytes 0-4/5');
    async function* chunks(): AsyncGenerator<Buffer> {
      yield Buffer.from('chunked');
    }
    await rawRequest('PUT', `${uri}/blob/1`, { body: chunks() });
    expect((await put(uri, 'blob/2', '')).status).toBe(200);
    expect(await dataCode(uri)).toBeUndefined();
    const ended = { headers: { 'x-finalize-blob-length': '0', 'content-length': '0' } };
    expect((await rawRequest('PUT', `${uri}/blob/3`, ended)).status).toBe(200);
    expect(await dataCode(uri)).toBe(250);
    const files = Object.values(messages[0]?.parts ?? {}).map((path) => readFile(path, 'utf8'));
    expect(await Promise.all(files)).toEqual(['abcde', 'chunked', '', '']);
  });

  it.each([
    ['no content at all', { parts: { headers: [['a', 'b']] }, file_attachments: [{ content_type: 'message/rfc822' }] }],
    ['headers for content', { parts: { content_type: 'text/rfc822-headers', parts: [{ headers: [['a', 'b']] }] } }],
    ['empty text', { parts: { content_type: 'text/plain', headers: [], content: { inline: '' } } }],
    ['nothing that it knows', { parts: null, text_body: 'x', more: [1, { content: 'x' }] }],
  ])('may have parts with %s', async (_, parsed) => {
    await start();
    const { uri } = await create();
    expect((await announce(uri, parsed)).status).toBe(200);
    await put(uri, 'body', 'Subject: x\r\n\r\n');
    expect(await dataCode(uri)).toBe(250);
    expect(messages[0]).toMatchObject({ parsed, parts: {} });
  });

  it('is refused with the reason when it is no JSON object, or nested without end', async () => {
    await start();
    const { uri } = await create();
    const deep = `{"parts":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    for (const [json, detail] of [
      ['[]', 'must be a JSON object'],
      ['{', 'invalid JSON'],
      [deep, 'the JSON is nested too deeply'],
    ] as const) {
      const answer = await announce(uri, json);
      expect(answer.status).toBe(400);
      expect(answer.json).toMatchObject({ detail: expect.stringContaining(detail) });
    }
    const inline = await rawRequest('POST', receiver.url, { body: { ...ENVELOPE, body: { inline: 'x' } } });
    expect([inline.status, inline.json]).toEqual([400, expect.objectContaining({ pointer: '/body' })]);
  });

  it('is not forgotten while one of its parts is still coming in, however slowly', async () => {
    const clock = new FakeClock();
    await start(clock, 60_000);
    const { uri } = await create();
    await announce(uri, PARSED);
    const gates = Array.from({ length: 5 }, newGate);
    async function* slowly(): AsyncGenerator<Buffer> {
      for (const gate of gates) {
        yield Buffer.from('x');
        await gate.opened;
      }
    }
    const upload = rawRequest('PUT', `${uri}/blob/0`, { body: slowly() });
    for (const [i, gate] of gates.entries()) {
      await expect.poll(async () => (await partSize(uri)) > i).toBe(true);
      await clock.advance(50_000);
      gate.open();
    }
    expect((await upload).status).toBe(200);
    await put(uri, 'body', 'Subject: x\r\n\r\n');
    expect(await dataCode(uri)).toBe(250);
  });
});

/** Bytes of the part that are in its file, looked at without asking the receiver. */
async function partSize(uri: string): Promise<number> {
  const name = `${uri.split('/').at(-1)}.0.part`;
  if (!(await readdir(dir)).includes(name)) return 0;
  return (await readFile(join(dir, name))).length;
}
