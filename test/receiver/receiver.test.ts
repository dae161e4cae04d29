import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import type { ReceivedMessage } from '../../src/lib/receiver/received-message.ts';
import { createReceiver, type Receiver, type ReceiverOptions } from '../../src/lib/receiver/receiver.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { memoryLog, realClock, seededRng } from '../helpers/fake-deps.ts';

let dir: string;
const receivers: Receiver[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'koukan-receiver-'));
});

afterEach(async () => {
  await Promise.all(receivers.splice(0).map((each) => each.close()));
  await rm(dir, { recursive: true, force: true });
});

async function start(more: Partial<ReceiverOptions> = {}, clock = realClock): Promise<Receiver> {
  const deps = { clock, rng: seededRng(receivers.length + 1), log: memoryLog() };
  const receiver = await createReceiver({ dir, port: 0, ...more }, deps);
  receivers.push(receiver);
  return receiver;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests look at JSON of many shapes
  readonly json: any;
}

async function call(
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const isRaw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
  const answer = await fetch(url, {
    method,
    headers: { ...(!isRaw && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: isRaw ? (body as string) : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const json = text.startsWith('{') ? JSON.parse(text) : undefined;
  return { status: answer.status, headers: answer.headers, text, json };
}

const ENVELOPE = {
  remote_host: ['198.51.100.7', 40022],
  local_host: ['192.0.2.25', 25],
  mail_from: { m: 'ann@far.test', e: [{ k: 'SIZE', p: '812' }] },
  rcpt_to: [{ m: 'app@dest.test' }],
  smtp_meta: { ehlo_host: 'mail.far.test', esmtp: true, tls: true, auth: null },
  sender: { name: 'router' },
};
const MESSAGE = 'From: ann@far.test\r\n\r\nhola\r\n';

async function create(receiver: Receiver, more: object = {}): Promise<{ uri: string; answer: Answer }> {
  const answer = await call('POST', receiver.url, { ...ENVELOPE, ...more });
  expect(answer.status).toBe(201);
  return { uri: answer.headers.get('location') as string, answer };
}

/** Follows with hanging GETs until the data response is there. */
async function verdict(uri: string): Promise<Answer> {
  let answer = await call('GET', uri);
  for (let i = 0; i < 10 && answer.json.data_response === undefined; i += 1) {
    const etag = answer.headers.get('etag') as string;
    const next = await call('GET', uri, undefined, { 'if-none-match': etag, 'request-timeout': '20' });
    if (next.status === 200) answer = next;
  }
  return answer;
}

const stored = async (name: string): Promise<string> => readFile(join(dir, name), 'utf8');

describe('a receiver', () => {
  it('takes a message, answers as a router demands, and stores it with its envelope', async () => {
    const receiver = await start();
    const { uri, answer } = await create(receiver);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('etag')).toMatch(/^\d+$/);
    expect(uri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/transactions\/[0-9a-f]{32}$/);
    expect(answer.json).toEqual({
      remote_host: ['198.51.100.7', 40022],
      local_host: ['192.0.2.25', 25],
      mail_from: {},
      rcpt_to: [{}],
      sender: {},
      mail_response: { code: 250, message: '2.1.0 ok' },
      rcpt_response: [{ code: 250, message: '2.1.5 ok' }],
      body: {
        blob_status: { uri: `${uri}/body`, finalized: false },
        message_builder: { uri: `${uri}/message_builder` },
      },
    });

    const put = await call('PUT', answer.json.body.blob_status.uri, MESSAGE);
    expect([put.status, put.text, put.headers.get('content-range')]).toEqual([200, '{}', 'bytes 0-27/28']);
    const { json } = await verdict(uri);
    expect(json.data_response).toEqual({ code: 250, message: '2.0.0 ok' });
    expect(json.body.blob_status.finalized).toBe(true);

    const id = uri.split('/').at(-1) as string;
    expect((await readdir(dir)).sort()).toEqual([`${id}.msg`, `${id}.tx.json`]);
    expect(await stored(`${id}.msg`)).toBe(MESSAGE);
    expect(JSON.parse(await stored(`${id}.tx.json`))).toMatchObject({
      id,
      mail_from: { m: 'ann@far.test', e: [{ k: 'SIZE', p: '812' }] },
      rcpt_to: [{ m: 'app@dest.test' }],
      smtp_meta: { ehlo_host: 'mail.far.test' },
      data_response: { code: 250, message: '2.0.0 ok' },
      files: { message: `${id}.msg`, parts: {} },
    });
  });

  it('takes a parsed message with its parts, and tells the application where everything is', async () => {
    const messages: ReceivedMessage[] = [];
    const receiver = await start({ onMessage: (message) => void messages.push(message) });
    const { uri, answer } = await create(receiver);
    const spf = { 'koukan.spf_check_filter.SpfCheckFilter': { mail_from_result: 1 } };
    const etag = answer.headers.get('etag') as string;
    const patch = await call('PATCH', uri, { filter_output: spf }, { 'if-match': etag });
    expect([patch.status, patch.json.filter_output]).toEqual([200, {}]);

    const parsed = {
      parts: {
        headers: [['subject', 'x']],
        content_type: 'multipart/mixed',
        parts: [
          { content_type: 'text/plain', headers: [], content: { inline: 'hello' } },
          { content_type: 'image/png', headers: [], content: { create_id: '0' } },
          { content_type: 'text/x', headers: [], content: { create_id: '../../etc/x' } },
        ],
      },
      file_attachments: [{ content_type: 'image/png', content: { create_id: '0' }, filename: 'a.png' }],
    };
    const announced = await call('POST', `${uri}/message_builder`, parsed);
    expect(announced.json.body).toEqual({
      blob_status: { uri: `${uri}/body`, finalized: false },
      message_builder: {
        blob_status: {
          '0': { uri: `${uri}/blob/0`, finalized: false },
          '../../etc/x': { uri: `${uri}/blob/..%2F..%2Fetc%2Fx`, finalized: false },
        },
      },
    });
    expect((await call('POST', `${uri}/message_builder`, parsed)).status).toBe(200);
    expect((await call('POST', `${uri}/message_builder`, { parts: {} })).status).toBe(409);

    await call('PUT', `${uri}/blob/0`, 'png');
    await call('PUT', `${uri}/body`, MESSAGE);
    expect((await call('GET', uri)).json.data_response).toBeUndefined();
    await call('PUT', announced.json.body.message_builder.blob_status['../../etc/x'].uri, 'x');
    expect((await verdict(uri)).json.data_response.code).toBe(250);

    const id = uri.split('/').at(-1) as string;
    const names = [`${id}.%2E.%2F..%2Fetc%2Fx`, `${id}.0`, `${id}.msg`, `${id}.msg.json`, `${id}.tx.json`];
    expect((await readdir(dir)).sort()).toEqual(names);
    expect(JSON.parse(await stored(`${id}.msg.json`))).toEqual(parsed);
    expect(await stored(`${id}.0`)).toBe('png');
    await expect.poll(() => messages).toHaveLength(1);
    expect(messages[0]).toMatchObject({
      id,
      mailFrom: 'ann@far.test',
      rcptTo: ['app@dest.test'],
      remoteHost: { host: '198.51.100.7', port: 40022 },
      filterOutput: spf,
      file: join(dir, `${id}.msg`),
      sizeBytes: MESSAGE.length,
      parsed,
      parts: { '0': join(dir, `${id}.0`) },
    });
  });

  it('takes an upload in pieces, resumes it, and says where it stands', async () => {
    const { uri } = await create(await start());
    const piece = (range: string, text: string) => call('PUT', `${uri}/body`, text, { 'content-range': range });
    expect((await piece('bytes 0-9/*', MESSAGE.slice(0, 10))).headers.get('content-range')).toBe('bytes 0-9/*');
    const gap = await piece('bytes 15-19/*', MESSAGE.slice(15, 20));
    expect([gap.status, gap.headers.get('content-range')]).toEqual([416, 'bytes 0-9/*']);
    const overlap = await piece('bytes 5-27/*', MESSAGE.slice(5));
    expect([overlap.status, overlap.headers.get('content-range')]).toEqual([200, 'bytes 0-27/*']);
    expect((await call('GET', uri)).json.body.blob_status.finalized).toBe(false);
    const end = await call('PUT', `${uri}/body`, '', { 'x-finalize-blob-length': '28' });
    expect([end.status, end.headers.get('content-range')]).toEqual([200, 'bytes 0-27/28']);
    expect((await verdict(uri)).json.data_response.code).toBe(250);
    expect(await stored(`${uri.split('/').at(-1)}.msg`)).toBe(MESSAGE);
    expect((await call('PUT', `${uri}/body`, MESSAGE)).status).toBe(200);
    expect((await call('PUT', `${uri}/body`, `${MESSAGE}more`)).status).toBe(416);
  });

  it('answers the last upload once it has decided, so that a router finds the answer at once', async () => {
    const { uri } = await create(await start());
    await call('PUT', `${uri}/body`, MESSAGE);
    expect((await call('GET', uri)).json.data_response.code).toBe(250);
  });

  it('does not let an upload wait for a slow decision', async () => {
    const clock = new FakeClock();
    let accept: () => void = () => undefined;
    const decision = new Promise<undefined>((resolve) => {
      accept = () => resolve(undefined);
    });
    const { uri } = await create(
      await start({ decide: ({ phase }) => (phase === 'data' ? decision : undefined) }, clock),
    );
    const upload = call('PUT', `${uri}/body`, MESSAGE);
    // The sweep and the upload sleep.
    await expect.poll(() => clock.sleeping).toBe(2);
    await clock.advance(2000);
    expect((await upload).status).toBe(200);
    expect((await call('GET', uri)).json.data_response).toBeUndefined();
    accept();
    expect((await verdict(uri)).json.data_response.code).toBe(250);
  });

  it('takes a chunked upload and an empty one', async () => {
    const receiver = await start();
    for (const chunks of [['From: a@b.test\r\n', '\r\n', 'x\r\n'], []]) {
      const { uri } = await create(receiver);
      const status = await new Promise((resolve, reject) => {
        const request = httpRequest(`${uri}/body`, { method: 'PUT', headers: { 'transfer-encoding': 'chunked' } });
        request.on('response', (answer) => resolve(answer.resume().statusCode)).on('error', reject);
        for (const chunk of chunks) request.write(chunk);
        request.end();
      });
      expect(status).toBe(200);
      expect((await verdict(uri)).json.data_response.code).toBe(250);
      expect(await stored(`${uri.split('/').at(-1)}.msg`)).toBe(chunks.join(''));
    }
  });

  it('takes recipients one by one, each at its place', async () => {
    const { uri } = await create(await start(), { mail_from: undefined, rcpt_to: undefined });
    const patch = async (json: object): Promise<Answer> => {
      const etag = (await call('GET', uri)).headers.get('etag') as string;
      return call('PATCH', uri, json, { 'if-match': etag });
    };
    expect((await patch({ mail_from: { m: '' } })).json.mail_response.code).toBe(250);
    await patch({ rcpt_to: [{ m: 'a@dest.test' }] });
    expect((await patch({ rcpt_to: [{ m: 'b@dest.test' }] })).status).toBe(400);
    const second = await patch({ rcpt_to: [{ m: 'b@dest.test' }], rcpt_to_list_offset: 1 });
    expect(second.json.rcpt_response).toHaveLength(2);
    expect((await call('PATCH', uri, { rcpt_to: [{ m: 'c' }] }, { 'if-match': '1' })).status).toBe(412);
    expect((await call('PATCH', uri)).status).toBe(200);
  });

  it('answers what the callback decides, in each phase, and keeps nothing of refused mail', async () => {
    const receiver = await start({
      decide: (step) => {
        if (step.phase === 'mail') return step.from === 'bad@x.test' ? reply(550, '5.7.1', 'not you') : undefined;
        if (step.phase === 'rcpt') return step.to === 'no@x.test' ? reply(550, '5.1.1', 'nobody') : undefined;
        return step.message.sizeBytes > 20 ? reply(452, '4.3.1', 'too much today') : undefined;
      },
    });
    const mail = await create(receiver, { mail_from: { m: 'bad@x.test' } });
    expect(mail.answer.json).toMatchObject({
      mail_response: { code: 550, message: '5.7.1 not you' },
      rcpt_response: [{ code: 503 }],
    });
    const rcpt = await create(receiver, { rcpt_to: [{ m: 'no@x.test' }] });
    expect(rcpt.answer.json.rcpt_response).toEqual([{ code: 550, message: '5.1.1 nobody' }]);
    await call('PUT', `${rcpt.uri}/body`, MESSAGE);
    expect((await verdict(rcpt.uri)).json.data_response.code).toBe(503);
    const data = await create(receiver);
    await call('PUT', `${data.uri}/body`, MESSAGE);
    expect((await verdict(data.uri)).json.data_response).toEqual({ code: 452, message: '4.3.1 too much today' });
    expect(await readdir(dir)).toEqual([]);
  });

  it('asks the router to come back when the callback fails', async () => {
    const receiver = await start({
      decide: () => {
        throw new Error('database is down');
      },
    });
    const { answer } = await create(receiver);
    expect(answer.json.mail_response).toEqual({ code: 451, message: '4.3.0 internal error, try again later' });
  });

  it('hangs a GET until something changes, or as long as the router is patient', async () => {
    const { uri, answer } = await create(await start());
    const etag = `"${answer.headers.get('etag')}"`;
    const idle = await call('GET', uri, undefined, { 'if-none-match': etag, 'request-timeout': '0' });
    expect([idle.status, idle.headers.get('etag')]).toEqual([304, etag]);
    const hanging = call('GET', uri, undefined, { 'if-none-match': etag, 'request-timeout': '30' });
    await call('PUT', `${uri}/body`, MESSAGE, { 'content-range': 'bytes 0-27/*' });
    expect((await hanging).status).toBe(200);
    const bad = await call('GET', uri, undefined, { 'if-none-match': '*', 'request-timeout': 'soon' });
    expect(bad.status).toBe(200);
  });

  it('removes what came of a cancelled message', async () => {
    const { uri } = await create(await start());
    await call('PUT', `${uri}/body`, MESSAGE.slice(0, 10), { 'content-range': 'bytes 0-9/*' });
    expect(await readdir(dir)).toHaveLength(1);
    expect((await call('POST', `${uri}/cancel`)).status).toBe(200);
    expect((await call('GET', uri)).json.cancelled).toBe(true);
    expect(await readdir(dir)).toEqual([]);
    expect((await call('PUT', `${uri}/body`, MESSAGE)).status).toBe(409);
  });

  it('forgets an idle transaction, and keeps a stored message', async () => {
    const clock = new FakeClock();
    const receiver = await start({ idleMs: 60_000 }, clock);
    const done = await create(receiver);
    await call('PUT', `${done.uri}/body`, MESSAGE);
    await verdict(done.uri);
    const left = await create(receiver);
    await call('PUT', `${left.uri}/body`, MESSAGE.slice(0, 10), { 'content-range': 'bytes 0-9/*' });
    await clock.advance(100_000);
    expect((await call('GET', left.uri)).status).toBe(404);
    expect((await call('GET', done.uri)).status).toBe(404);
    await expect.poll(() => readdir(dir)).toHaveLength(2);
  });

  it('clears away what a crash left incomplete, and nothing else', async () => {
    const id = 'a'.repeat(32);
    for (const name of [`${id}.msg.part`, `${id}.msg`, 'notes.part']) await writeFile(join(dir, name), 'x');
    await start();
    expect((await readdir(dir)).sort()).toEqual([`${id}.msg`, 'notes.part']);
  });

  it.each([
    ['POST', '/senders/router/transactions', '{', 400],
    ['POST', '/senders/router/transactions', '[]', 400],
    ['POST', '/senders/router/transactions', '{"mail_from":{}}', 400],
    ['POST', '/senders/router/transactions', '{"rcpt_to":[{"m":"early@x.test"}]}', 409],
    ['GET', '/transactions/none', undefined, 404],
    ['PUT', '/transactions/none/body', 'x', 404],
    ['GET', '/elsewhere', undefined, 404],
  ])('answers %s %s %j with %i and a problem document', async (method, path, body, status) => {
    const receiver = await start();
    const answer = await call(method, new URL(path, receiver.url).href, body);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
  });

  it('refuses a message that is too large before it is on the disk', async () => {
    const { uri } = await create(await start({ bytesMax: 10 }));
    expect((await call('PUT', `${uri}/body`, MESSAGE)).status).toBe(413);
    expect((await call('PUT', `${uri}/blob/0`, 'x')).status).toBe(404);
  });

  it('answers who waits when it closes', async () => {
    const receiver = await start();
    const { uri, answer } = await create(receiver);
    const hanging = call('GET', uri, undefined, { 'if-none-match': answer.headers.get('etag') as string });
    await call('GET', uri);
    await receiver.close();
    expect([200, 304]).toContain((await hanging).status);
  });

  it('says what is wrong with its directory or its port', async () => {
    const { port } = await start();
    await expect(start({ port })).rejects.toThrow(`cannot listen on 127.0.0.1:${port}`);
    await writeFile(join(dir, 'file'), '');
    await expect(start({ dir: join(dir, 'file') })).rejects.toThrow('cannot use the directory');
  });
});
