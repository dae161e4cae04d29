/** Clients that go away before they are answered: what was counted for them is given back. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { newGate } from './gate.ts';
import { type RawAsk, rawRequest } from './raw-request.ts';
import { startRestServer } from './rest-server.ts';

const json = { 'content-type': 'application/json' };
const whole = JSON.stringify({ mail_from: { m: 'ops@shop.test' }, rcpt_to: [{ m: 'kim@dest.test' }] });

/** The first half of an entity, and never the second. */
async function* halfOf(entity: string): AsyncGenerator<Buffer> {
  yield Buffer.from(entity.slice(0, entity.length / 2));
  await newGate().opened;
}

const declared = { 'content-length': String(whole.length) };

const gone: readonly (readonly [string, string, (url: string) => string, RawAsk])[] = [
  [
    'a create',
    'POST',
    (url) => `${url}/senders/a/transactions`,
    { headers: { ...json, ...declared }, body: halfOf(whole) },
  ],
  [
    'a create of unknown length',
    'POST',
    (url) => `${url}/senders/a/transactions`,
    { headers: json, body: halfOf(whole) },
  ],
  ['an upload', 'PUT', (url) => `${url}/transactions/tx1/body`, { headers: declared, body: halfOf(whole) }],
];

it.each(gone)('one in the middle of %s leaves its place to the next', async (_, method, path, ask) => {
  const { url } = await startRestServer({}, { maxInflight: 1 });
  const create = () => rawRequest('POST', `${url}/senders/a/transactions`, { body: whole, headers: json });
  expect((await create()).status).toBe(201);
  const put = () =>
    rawRequest('PUT', `${url}/transactions/tx1/body`, {
      headers: { 'content-range': 'bytes 0-0/9' },
      body: Buffer.from('x'),
    });
  const next = method === 'PUT' ? put : create;
  const leaving = new AbortController();
  const leaver = rawRequest(method, path(url), { ...ask, signal: leaving.signal });
  for (let i = 0; i < 1000 && (await next()).status !== 503; i += 1);
  expect((await next()).status).toBe(503);
  leaving.abort();
  await expect(leaver).rejects.toThrow();
  for (let i = 0; i < 300 && (await next()).status === 503; i += 1);
  expect((await next()).status).not.toBe(503);
});

it.each([
  ['creates', `POST /senders/a/transactions HTTP/1.1\r\nhost: x\r\ncontent-length: ${whole.length}\r\n\r\n${whole}`],
  ['uploads', 'PUT /transactions/none/body HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi'],
])('one that has sent %s behind a request that waits leaves their places to the next', async (_, request) => {
  const { url } = await startRestServer({}, { maxInflight: 2 });
  const create = () => rawRequest('POST', `${url}/senders/a/transactions`, { body: whole, headers: json });
  const put = () => rawRequest('PUT', `${url}/transactions/none/body`, { body: 'hi' });
  expect((await create()).status).toBe(201);
  await moment();
  const { headers } = await rawRequest('GET', `${url}/transactions/tx1`);
  const waiting = `GET /transactions/tx1 HTTP/1.1\r\nhost: x\r\nif-none-match: ${headers.etag}\r\n\r\n`;
  for (let i = 0; i < 3; i += 1) {
    const leaver = connect(Number(new URL(url).port), '127.0.0.1');
    leaver.on('error', () => undefined);
    await once(leaver, 'connect');
    leaver.write(waiting + request);
    await moment();
    leaver.resetAndDestroy();
    await moment();
  }
  for (let i = 0; i < 300 && (await create()).status === 503; i += 1);
  for (let i = 0; i < 300 && (await put()).status === 503; i += 1);
  expect([(await create()).status, (await put()).status]).toEqual([201, 404]);
});

/** The server is in this process: a few turns of its loop, and what was sent has been dealt with. */
async function moment(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
}
