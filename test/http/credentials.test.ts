/** How a next hop is shown who we are: where a token goes, where it never goes, and that a new one is taken up. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { peerTrust } from '../../src/lib/http/credentials.ts';
import { HttpClient, type Trust } from '../../src/lib/http/http-client.ts';
import { type HttpAnswer, httpRequest } from '../../src/lib/http/request.ts';
import { tokenTrust } from '../../src/lib/http/token-trust.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';

async function server(listener: RequestListener): Promise<URL> {
  const running = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => running.once('listening', resolve));
  onTestFinished(() => {
    running.close();
    running.closeAllConnections();
  });
  return new URL(`http://127.0.0.1:${(running.address() as AddressInfo).port}/`);
}

/** Answers what it was shown. */
const mirror: RequestListener = (request, response) => {
  response.end(request.headers.authorization ?? 'nothing');
};

async function ask(url: URL, trust: Trust): Promise<string> {
  const client = new HttpClient();
  try {
    const signal = new AbortController().signal;
    const answer: HttpAnswer = await httpRequest(client, trust, { method: 'GET', url, signal });
    return answer.body.toString();
  } finally {
    await client.close();
  }
}

function tokenFile(token: string): { readonly file: string; readonly write: (text: string) => void } {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-token-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'token');
  writeFileSync(file, token);
  return { file, write: (text) => writeFileSync(file, text) };
}

describe('a bearer token', () => {
  it('goes with every request to its peer, and nowhere without one', async () => {
    const url = await server(mirror);
    expect(await ask(url, tokenTrust(url, 's3cret\n', 'the token'))).toBe('Bearer s3cret');
    expect(await ask(url, true)).toBe('nothing');
  });

  it('goes where the peer sends us, for replicas share their tokens', async () => {
    const other = await server(mirror);
    const first = await server((_, response) => response.writeHead(308, { location: other.href }).end());
    expect(await ask(first, tokenTrust(first, 's3cret', 'the token'))).toBe('Bearer s3cret');
  });

  it('that was given for https is never sent in the clear', async () => {
    const url = await server(mirror);
    const trust = tokenTrust(new URL('https://router.example/'), 's3cret', 'the token');
    await expect(ask(url, trust)).rejects.toMatchObject({ name: 'HttpTrouble', code: 'redirect' });
  });

  it('is read again when its file has changed', async () => {
    const url = await server(mirror);
    const { file, write } = tokenFile('one\n');
    const clock = new FakeClock();
    const trust = peerTrust(url, { tokenFile: file }, { clock, log: memoryLog() });
    expect(await ask(url, trust)).toBe('Bearer one');
    write('another\n');
    await clock.advance(1000);
    expect(await ask(url, trust)).toBe('Bearer another');
  });

  it.each([
    ['empty', '\n', 'is empty'],
    ['of two lines', 's3cret\nmore', 'is no token'],
    ['that would end the header', 's3cret\r\nx-evil: 1', 'is no token'],
  ])('is refused when it is %s, without being quoted', (_, text, words) => {
    const { file } = tokenFile(text);
    const read = (): unknown =>
      peerTrust(new URL('http://h/'), { tokenFile: file }, { clock: new FakeClock(), log: memoryLog() });
    expect(read).toThrow(words);
    expect(read).not.toThrow('s3cret');
  });
});

it('a certificate that is none is refused with the names of its files', () => {
  const { file } = tokenFile('no certificate');
  const options = { clientCert: file, clientKey: file };
  expect(() => peerTrust(new URL('https://h/'), options, { clock: new FakeClock(), log: memoryLog() })).toThrow(
    `cannot use certificate ${file} with key ${file}`,
  );
});
