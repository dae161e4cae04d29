/** Frames with peers of every kind: over TLS, in numbers, dying in the middle of a word, and those that do not know of frames. */

import http, { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Response, reply } from '../../src/lib/core/response.ts';
import { type Access, type AccessOptions, openAccess } from '../../src/lib/http/access.ts';
import { encodeFrame, kinds } from '../../src/lib/http/frame.ts';
import { HttpClient } from '../../src/lib/http/http-client.ts';
import { httpRequest } from '../../src/lib/http/request.ts';
import type { TransactionView } from '../../src/lib/http/service.ts';
import { memoryLog, realClock } from '../helpers/fake-deps.ts';
import { MemoryService } from '../helpers/memory-service.ts';
import { ENVELOPE, joined, PATIENTLY, QUEUED, sender, startOnWire } from './frame-wire.ts';
import { newGate } from './gate.ts';
import { rawRequest } from './raw-request.ts';
import { startRestServer } from './rest-server.ts';

type Send = ReturnType<typeof sender>;

const fixture = (name: string): string => path.resolve(import.meta.dirname, '../fixtures/mutual-tls', name);

/** Access that remembers who was let in for frames, and how many requests came by themselves. */
function watched(options: Partial<AccessOptions> = {}): { access: Access; joins(): number; requests(): number } {
  const access = openAccess({ requireClientCert: false, ...options }, { clock: realClock, log: memoryLog() });
  let joins = 0;
  let requests = 0;
  return {
    access: {
      identify(request) {
        const caller = access.identify(request);
        if (request instanceof IncomingMessage && request.method === 'CONNECT' && caller.isTrusted) joins += 1;
        if ('raw' in request && request.raw instanceof IncomingMessage) requests += 1;
        return caller;
      },
    },
    joins: () => joins,
    requests: () => requests,
  };
}

/** Answers with what it was given. */
const echo = async (bytes: Buffer): Promise<Response> => reply(250, '2.6.0', `queued ${bytes}`);

describe('gateways with certificates', () => {
  const tls = { cert: fixture('server.crt'), key: fixture('server.key'), clientCa: fixture('authority.crt') };
  const { clientCa } = tls;

  const identity = (name: string): object => ({
    verify: clientCa,
    clientCert: fixture(`${name}.crt`),
    clientKey: fixture(`${name}.key`),
  });

  it('send frames over TLS when they are trusted', async () => {
    const seen = watched({ clientCa, requireClientCert: true, trustedNames: ['gateway.example'], trustedPeers: [] });
    const { url } = await startRestServer({ data: echo }, { tls, access: seen.access });
    const send = sender(url, { hop: identity('gateway') });
    await vi.waitUntil(async () => {
      expect((await send('early')).code).toBe(250);
      return seen.joins() > 0;
    }, PATIENTLY);
    await send('joined');
    const before = seen.requests();
    for (let i = 0; i < 5; i += 1) expect((await send(`message ${i}`)).text).toBe(`queued message ${i}`);
    expect(seen.requests()).toBe(before);
  });

  it('send requests by themselves when they are not', async () => {
    const seen = watched({ clientCa, requireClientCert: true, trustedNames: ['gateway.example'], trustedPeers: [] });
    const { url } = await startRestServer({ data: echo }, { tls, access: seen.access });
    const send = sender(url, { hop: identity('application') });
    for (let i = 0; i < 5; i += 1) expect((await send(`message ${i}`)).text).toBe(`queued message ${i}`);
    expect(seen.joins()).toBe(0);
  });
});

describe('two gateways of one router', () => {
  it('hear the answers to their own messages, and one goes on without the other', async () => {
    const seen = watched();
    const { url } = await startRestServer({ data: echo }, { access: seen.access });
    const clients = [new HttpClient(), new HttpClient()];
    onTestFinished(async () => {
      await Promise.all(clients.map((client) => client.close(AbortSignal.abort())));
    });
    const [one, two] = clients.map((client) => sender(url, { hop: { client } })) as [Send, Send];
    await vi.waitUntil(async () => {
      await Promise.all([one('early'), two('early')]);
      return seen.joins() === 2;
    }, PATIENTLY);
    const texts = Array.from({ length: 40 }, (_, i) => `${i}`);
    const heard = await Promise.all(texts.flatMap((text) => [one(`one ${text}`), two(`two ${text}`)]));
    expect(heard.map(({ text }) => text)).toEqual(
      texts.flatMap((text) => [`queued one ${text}`, `queued two ${text}`]),
    );
    await clients[0]?.close(AbortSignal.abort());
    const before = seen.requests();
    expect((await two('alone')).text).toBe('queued alone');
    expect(seen.requests()).toBe(before);
  });
});

describe('a connection that ends in the middle of a frame', () => {
  it('of an answer: the message arrives all the same, once', async () => {
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
    wire.cutInAnswer();
    expect(await send('cut')).toEqual(QUEUED);
    expect(received.filter((text) => text === 'cut')).toHaveLength(1);
    await vi.waitUntil(async () => {
      expect(await send('later')).toEqual(QUEUED);
      return wire.isJoined();
    }, PATIENTLY);
  });

  it.each([
    ['a usual request', { 'content-type': 'application/json' }],
    ['another request', {}],
  ])('of a request: nothing comes of it, and %s under way gives its place back when it is done', async (_, headers) => {
    const gate = newGate();
    let begun = 0;
    class Slow extends MemoryService {
      override create(...ask: Parameters<MemoryService['create']>): Promise<TransactionView> {
        begun += 1;
        return gate.opened.then(() => super.create(...ask));
      }
    }
    const service = new Slow();
    const { url } = await startRestServer({}, { service, maxInflight: 1 });
    const { socket } = await joined(url);
    const frame = encodeFrame(1, kinds.request, 'POST /senders/router/transactions', headers, ENVELOPE);
    socket.write(frame);
    await vi.waitUntil(() => begun === 1, PATIENTLY);
    const post = () => rawRequest('POST', `${url}/senders/router/transactions`, { body: JSON.parse(ENVELOPE) });
    expect((await post()).status).toBe(503);
    socket.write(frame.subarray(0, frame.length / 2), () => socket.destroy());
    gate.open();
    await vi.waitUntil(async () => (await post()).status === 201, PATIENTLY);
    expect(begun).toBe(2);
  });
});

describe('a peer that does not take frames', () => {
  it.each([
    ['says so of another form of them', { 'koukan-frames': '2' }],
    ['says nothing', {}],
  ])('because it %s, is never asked to', async (_, headers) => {
    let connects = 0;
    const server = http.createServer((_request, response) => response.writeHead(200, headers).end('{}'));
    server.on('connect', (_request, socket) => {
      connects += 1;
      socket.destroy();
    });
    const origin = await listening(server);
    expect(await askThrice(origin)).toEqual([200, 200, 200]);
    expect(connects).toBe(0);
  });

  it('although it says that it does, gets its requests by themselves', async () => {
    let connects = 0;
    const server = http.createServer((_request, response) =>
      response.writeHead(200, { 'koukan-frames': '1' }).end('{}'),
    );
    server.on('connect', (_request, socket) => {
      connects += 1;
      socket.destroy();
    });
    const origin = await listening(server);
    expect(await askThrice(origin)).toEqual([200, 200, 200]);
    expect(connects).toBe(1);
  });
});

async function listening(server: http.Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function askThrice(origin: string): Promise<number[]> {
  const client = new HttpClient();
  onTestFinished(() => client.close(AbortSignal.abort()));
  const statuses: number[] = [];
  for (let i = 0; i < 3; i += 1) {
    const signal = AbortSignal.timeout(20_000);
    statuses.push((await httpRequest(client, true, { method: 'GET', url: new URL(origin), signal })).status);
  }
  return statuses;
}
