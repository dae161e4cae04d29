/** Requests between two Koukans as frames on one connection: what travels, who may, and what happens when it breaks. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { hashSecret } from '../../src/lib/auth/secrets.ts';
import { limits } from '../../src/lib/core/limits.ts';
import type { Response } from '../../src/lib/core/response.ts';
import { type AccessOptions, openAccess } from '../../src/lib/http/access.ts';
import { encodeFrame, kinds } from '../../src/lib/http/frame.ts';
import { memoryLog, realClock } from '../helpers/fake-deps.ts';
import { ENVELOPE, joined, PATIENTLY, QUEUED, sender, startOnWire } from './frame-wire.ts';
import { rawRequest } from './raw-request.ts';
import { startRestServer } from './rest-server.ts';

/** Nothing more happens to the transaction then, until it is asked more. */
const WHEN_ANSWERED = { prefer: 'wait=20' };

const create = (id: number, headers: Record<string, string> = {}): Buffer =>
  encodeFrame(id, kinds.request, 'POST /senders/router/transactions', headers, ENVELOPE);

describe('messages between two Koukans', () => {
  it('travel on one connection as soon as the server has said that it can', async () => {
    const wire = await startOnWire({ data: async () => QUEUED });
    const { service } = wire.running;
    const send = sender(wire.url);
    await vi.waitUntil(async () => {
      expect(await send('early')).toEqual(QUEUED);
      return wire.isJoined();
    }, PATIENTLY);
    await send('joined');
    const before = wire.requests();
    for (let i = 0; i < 10; i += 1) expect(await send(`message ${i}`)).toEqual(QUEUED);
    expect(wire.requests()).toBe(before);
    expect(service.transactions.size).toBeGreaterThan(10);
  });

  it('arrive whole, whatever bytes they have and however large they are', async () => {
    const received: string[] = [];
    const data = async (bytes: Buffer): Promise<Response> => {
      received.push(bytes.toString('latin1'));
      return QUEUED;
    };
    const wire = await startOnWire({ data });
    const send = sender(wire.url);
    await vi.waitUntil(async () => {
      await send('early');
      return wire.isJoined();
    }, PATIENTLY);
    received.length = 0;
    const texts = ['', 'é№\u0000\r\n.', 'x'.repeat(limits.frameEntityBytes + 1)];
    for (const text of texts) expect(await send(text)).toEqual(QUEUED);
    expect(received).toEqual(texts.map((text) => Buffer.from(text).toString('latin1')));
  });

  it('go on by themselves when the connection breaks, and join again', async () => {
    const wire = await startOnWire({ data: async () => QUEUED });
    const send = sender(wire.url);
    for (let round = 0; round < 2; round += 1) {
      await vi.waitUntil(async () => {
        expect(await send('message')).toEqual(QUEUED);
        return wire.isJoined();
      }, PATIENTLY);
      wire.cut();
      expect(await send('after the cut')).toEqual(QUEUED);
    }
  });

  it('go by themselves when the connection leads nowhere any more, although nobody says so', async () => {
    const wire = await startOnWire({ data: async () => QUEUED });
    const send = sender(wire.url, { rcptTimeoutMs: 300 });
    await vi.waitUntil(async () => {
      await send('message');
      return wire.isJoined();
    }, PATIENTLY);
    wire.swallow();
    // The one that is under way is lost, as on any connection.
    await vi.waitUntil(async () => (await send('message')).code === 250, PATIENTLY);
  });

  it('go by themselves to a server that does not trust the client, which is not told more', async () => {
    const access = openAccess({ requireClientCert: false, trustedPeers: [] }, { clock: realClock, log: memoryLog() });
    const wire = await startOnWire({ data: async () => QUEUED }, { access });
    const send = sender(wire.url);
    for (let i = 0; i < 5; i += 1) expect(await send('message')).toEqual(QUEUED);
    expect(wire.isJoined()).toBe(false);
    expect((await joined(wire.url)).status).toBe('403');
  });

  it('go by themselves to a server that may stand behind a balancer', async () => {
    const wire = await startOnWire({ data: async () => QUEUED }, { sessionUri: '' });
    const send = sender(wire.url);
    await send('message');
    const before = wire.requests();
    for (let i = 0; i < 5; i += 1) expect(await send('message')).toEqual(QUEUED);
    expect(wire.isJoined()).toBe(false);
    expect(wire.requests()).toBe(before + 5);
  });
});

describe('a server that takes frames', () => {
  it('answers a later request before an earlier one that waits', async () => {
    const { url } = await startRestServer();
    const { socket, next } = await joined(url);
    socket.write(create(1, WHEN_ANSWERED));
    const { headers } = await next();
    const place = new URL(headers.location as string).pathname;
    socket.write(encodeFrame(2, kinds.request, `GET ${place}`, { 'if-none-match': headers.etag as string }, ''));
    socket.write(create(3));
    expect(await next()).toMatchObject({ id: 3, kind: kinds.answer, start: '201' });
    // What is given up is not answered any more, only heard of.
    socket.write(encodeFrame(2, kinds.cancel, '', {}, ''));
    expect(await next()).toMatchObject({ id: 2, kind: kinds.cancelled });
    socket.write(create(4));
    expect(await next()).toMatchObject({ id: 4, start: '201' });
  });

  it('answers mistakes as it answers them elsewhere', async () => {
    const { url } = await startRestServer();
    const { socket, next } = await joined(url);
    socket.write(encodeFrame(1, kinds.request, 'POST /senders/router/transactions', {}, '{"mail_form": 1}'));
    const answer = await next();
    expect(answer).toMatchObject({ start: '400', headers: { 'content-type': 'application/problem+json' } });
    expect(JSON.parse(answer.entity.toString('utf8'))).toMatchObject({ status: 400, pointer: '/mail_form' });
    socket.write(encodeFrame(2, kinds.request, 'GET /nowhere', {}, ''));
    expect(await next()).toMatchObject({ id: 2, start: '404' });
  });

  it('asks who it is with each request', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-frames-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const authTokens = path.join(folder, 'tokens.json');
    writeFileSync(authTokens, JSON.stringify({ gateway: { hash: hashSecret('gateway-token'), trusted: true } }));
    const options: AccessOptions = { requireClientCert: false, authTokens };
    const access = openAccess(options, { clock: realClock, log: memoryLog() });
    const wire = await startOnWire({ data: async () => QUEUED }, { access });
    const { url } = wire.running;
    expect((await joined(url)).status).toBe('403');
    const { socket, status, next } = await joined(url, 'authorization: Bearer gateway-token\r\n');
    expect(status).toBe('200');
    socket.write(create(1));
    expect(await next()).toMatchObject({ start: '401' });
    socket.write(create(2, { authorization: 'Bearer gateway-token' }));
    expect(await next()).toMatchObject({ start: '201' });
    const send = sender(wire.url, { token: 'gateway-token' });
    await vi.waitUntil(async () => {
      expect(await send('message')).toEqual(QUEUED);
      return wire.isJoined();
    }, PATIENTLY);
  });

  it.each([
    ['what is no frame', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['an answer', encodeFrame(1, kinds.answer, '200', {}, '')],
    ['a request without a path', encodeFrame(1, kinds.request, 'GET', {}, '')],
    ['a request that is too large', encodeFrame(1, kinds.request, 'PUT /', {}, Buffer.alloc(200_000))],
  ])('closes the connection on %s, and goes on', async (_, bytes) => {
    const { url } = await startRestServer();
    const { socket, next } = await joined(url);
    socket.write(bytes);
    await expect(next()).rejects.toThrow();
    expect(
      (await rawRequest('POST', `${url}/senders/router/transactions`, { body: JSON.parse(ENVELOPE) })).status,
    ).toBe(201);
  });

  it('answers what is asked before it closes', async () => {
    const { url, server } = await startRestServer();
    const { socket, next } = await joined(url);
    socket.write(create(1, WHEN_ANSWERED));
    const { headers } = await next();
    const place = new URL(headers.location as string).pathname;
    socket.write(encodeFrame(2, kinds.request, `GET ${place}`, { 'if-none-match': headers.etag as string }, ''));
    socket.write(create(3));
    await next();
    const closed = server.close();
    expect(await next()).toMatchObject({ id: 2, start: '304' });
    await closed;
    await expect(next()).rejects.toThrow('closed the connection');
  });

  it('refuses to connect to anywhere else, and leaves those alone who ask for another protocol', async () => {
    const { url } = await startRestServer();
    const { port } = new URL(url);
    const socket = net.connect(Number(port), '127.0.0.1');
    socket.write('CONNECT mail.far.test:25 HTTP/1.1\r\nhost: mail.far.test\r\n\r\n');
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABk' };
    const body = JSON.parse(ENVELOPE);
    expect((await rawRequest('POST', `${url}/senders/router/transactions`, { headers, body })).status).toBe(201);
  });
});
