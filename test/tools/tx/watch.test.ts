/** `koukan tx watch` of what had ended before: the verdict is what was asked for, and when that was is only told by some. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { runWatch } from '../../../src/lib/tools/tx/watch.ts';

const DELIVERED = {
  mail_response: { code: 250, message: 'ok' },
  rcpt_response: [{ code: 250, message: 'ok' }],
  data_response: { code: 250, message: 'taken' },
};

let server: Server;
let history: { status: number; json: object };

beforeEach(async () => {
  server = createServer((request, response) => {
    const { status, json } = request.url?.endsWith('/history') ? history : { status: 200, json: DELIVERED };
    response.writeHead(status, { 'content-type': 'application/json', etag: '"1"' }).end(JSON.stringify(json));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(() => {
  vi.restoreAllMocks();
  server.closeAllConnections();
  server.close();
});

async function watch(): Promise<{ code: number; said: string }> {
  let said = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const code = await runWatch({ url, id: 'x', waitSeconds: 5, json: false });
  return { code, said };
}

it('says when it ended', async () => {
  history = { status: 200, json: { attempt_list: [{ ended_at: '2026-01-01T10:20:30.000Z' }] } };
  expect(await watch()).toEqual({ code: 0, said: '2026-01-01T10:20:30.000Z  delivered: 250 taken\n' });
});

it.each([404, 403, 503])('says what became of it where the history is answered with %i', async (status) => {
  history = { status, json: { detail: 'unknown transaction' } };
  expect(await watch()).toMatchObject({ code: 0, said: expect.stringMatching(/Z {2}delivered: 250 taken\n$/) });
});
