/** Bytes that are no request, and text that is none: each gets a problem document, and the next client its answer. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { rawRequest } from './raw-request.ts';
import { startRestServer } from './rest-server.ts';

async function sendBytes(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(bytes);
  return text(socket);
}

describe('a REST server that is sent garbage', () => {
  it.each([
    ['two lengths', 'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n', 400],
    [
      'a length and chunks',
      'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['a negative length', 'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n', 400],
    ['a TLS client', '\u0016\u0003\u0001\u0002\r\n\r\n', 400],
    ['a path without end', `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431],
  ])('answers %s with a problem document and closes', async (_, bytes, status) => {
    const { url } = await startRestServer();
    const [head = '', body = ''] = (await sendBytes(url, bytes)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} .*content-type: application/problem\\+json`, 's'));
    expect(JSON.parse(body)).toMatchObject({ status, detail: 'not a valid HTTP request' });
    expect((await rawRequest('GET', `${url}/transactions/none`)).status).toBe(404);
  });

  it('refuses half a surrogate pair in an address, which would become another address', async () => {
    const { url } = await startRestServer();
    const body = '{"mail_from":{"m":"a@b.test"},"rcpt_to":[{"m":"\\ud800kim@dest.test"}]}';
    const answer = await rawRequest('POST', `${url}/senders/news/transactions`, { body });
    expect(answer).toMatchObject({ status: 400, json: { pointer: '/rcpt_to/0/m' } });
  });
});
