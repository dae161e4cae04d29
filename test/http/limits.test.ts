/** The bounds of the REST API as a client meets them: each has a clear answer, and what is within them goes on. */
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import { openAccess } from '../../src/lib/http/access.ts';
import { memoryLog, realClock } from '../helpers/fake-deps.ts';
import { type Gate, newGate } from './gate.ts';
import { type RawAnswer, rawRequest } from './raw-request.ts';
import { type Running, startRestServer } from './rest-server.ts';

const ENVELOPE = { mail_from: { m: 'ops@shop.test' }, rcpt_to: [{ m: 'kim@dest.test' }] };

function create(running: Running, body: unknown = ENVELOPE, connectOptions: object = {}): Promise<RawAnswer> {
  const entity = typeof body === 'string' ? body : JSON.stringify(body);
  return rawRequest('POST', `${running.url}/senders/a/transactions`, { body: entity, connect: connectOptions });
}

interface Slow extends Running {
  /** Uploads at work. */
  readonly held: () => number;
}

/** A server on which uploads stay at work until the gate opens. */
async function slow(options: object, gate: Gate): Promise<Slow> {
  const running = await startRestServer({}, options);
  let held = 0;
  running.service.upload = async () => {
    held += 1;
    await gate.opened;
    return { length: 1, total: 1 };
  };
  await create(running);
  return { ...running, held: () => held };
}

const put = ({ url }: Running, from?: string): Promise<RawAnswer> =>
  rawRequest('PUT', `${url}/transactions/tx1/body`, {
    body: Buffer.from('x'),
    ...(from !== undefined && { connect: { localAddress: from } }),
  });

const nobodyTrusted = () =>
  openAccess({ requireClientCert: false, trustedPeers: [] }, { clock: realClock, log: memoryLog() });

describe('requests at work', () => {
  it('of one address are bounded: 429 with a time to come back, and others are not concerned', async () => {
    const gate = newGate();
    const running = await slow({ maxInflightPerPeer: 2, access: nobodyTrusted() }, gate);
    const held = [put(running, '127.0.0.2'), put(running, '127.0.0.2')];
    await expect.poll(running.held).toBe(2);
    const third = await put(running, '127.0.0.2');
    expect(third.status).toBe(429);
    expect(third.headers['retry-after']).toBe('1');
    expect(third.headers['content-type']).toBe('application/problem+json');
    const other = put(running, '127.0.0.3');
    gate.open();
    for (const answer of await Promise.all([...held, other])) expect(answer.status).toBe(200);
    expect((await put(running, '127.0.0.2')).status).toBe(200);
  });

  it('of all together are bounded: 503 with a time to come back', async () => {
    const gate = newGate();
    const running = await slow({ maxInflight: 1 }, gate);
    const held = put(running);
    await expect.poll(running.held).toBe(1);
    const second = await put(running);
    expect(second.status).toBe(503);
    expect(second.headers['retry-after']).toBe('1');
    gate.open();
    expect((await held).status).toBe(200);
  });

  it('of a trusted peer only count among all', async () => {
    const gate = newGate();
    const running = await slow({ maxInflightPerPeer: 1 }, gate);
    const held = Array.from({ length: 5 }, () => put(running));
    gate.open();
    for (const answer of await Promise.all(held)) expect(answer.status).toBe(200);
  });
});

describe('the JSON of a request', () => {
  const nested = (depth: number): unknown => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);

  it.each<readonly [string, unknown, number, string | undefined]>([
    ['larger than the limit', { ...ENVELOPE, body: { inline: 'x'.repeat(limits.requestJsonBytes) } }, 413, undefined],
    ['nested too deeply', { ...ENVELOPE, filter_output: nested(limits.requestJsonDepth) }, 400, undefined],
    [
      'with too many recipients',
      {
        ...ENVELOPE,
        rcpt_to: Array.from({ length: limits.rcptsPerTransaction + 1 }, (_, i) => ({ m: `u${i}@dest.test` })),
      },
      400,
      '/rcpt_to',
    ],
    [
      'with too long an address',
      { ...ENVELOPE, mail_from: { m: `${'x'.repeat(limits.requestMailboxChars)}@a.b` } },
      400,
      '/mail_from/m',
    ],
    [
      'with too many ESMTP parameters',
      {
        ...ENVELOPE,
        mail_from: { m: 'a@b.c', e: Array.from({ length: limits.rcptParamsPerCommand + 1 }, () => ({ k: 'X' })) },
      },
      400,
      '/mail_from/e',
    ],
    [
      'with too many parts',
      {
        ...ENVELOPE,
        body: {
          message_builder: {
            file_attachments: Array.from({ length: limits.messageBuilderParts + 1 }, () => ({
              content_type: 'text/plain',
              content: { inline: '' },
            })),
          },
        },
      },
      400,
      '/body/message_builder/file_attachments',
    ],
    [
      'with too long a tag',
      { ...ENVELOPE, sender: { tag: 'x'.repeat(limits.requestNameChars + 1) } },
      400,
      '/sender/tag',
    ],
  ])('is refused %s', async (_, body, status, pointer) => {
    const running = await startRestServer();
    const answer = await create(running, body);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    if (pointer !== undefined) expect(answer.json).toMatchObject({ pointer });
    expect(running.service.transactions.size).toBe(0);
  });

  it('is refused without a stack overflow however deep it is', async () => {
    const running = await startRestServer();
    const answer = await create(running, `{"filter_output":${'['.repeat(500_000)}${']'.repeat(500_000)}}`);
    expect(answer.status).toBe(400);
  });

  it('may be as large and as deep as the limits say', async () => {
    const running = await startRestServer();
    const filter_output = { a: nested(limits.requestJsonDepth - 3) };
    expect((await create(running, { ...ENVELOPE, filter_output })).status).toBe(201);
  });
});

describe('an upload', () => {
  it.each([
    ['declared too large', { 'content-range': 'bytes 0-9/200' }],
    ['with a range too far', { 'content-range': 'bytes 150-159/*' }],
  ])('is refused %s before a byte of it is read', async (_, headers) => {
    const { url } = await startRestServer({}, { bodyLimits: { blobBytes: 100 } });
    await rawRequest('POST', `${url}/senders/a/transactions`, { body: ENVELOPE });
    const answer = await rawRequest('PUT', `${url}/transactions/tx1/body`, { headers, body: Buffer.alloc(10) });
    expect(answer.status).toBe(413);
    expect(answer.json).toMatchObject({ detail: 'larger than 100 bytes' });
  });

  it('without a length is cut off at the limit', async () => {
    const { url } = await startRestServer({}, { bodyLimits: { blobBytes: 100 } });
    await rawRequest('POST', `${url}/senders/a/transactions`, { body: ENVELOPE });
    async function* endless(): AsyncGenerator<Buffer> {
      for (let i = 0; i < 100; i += 1) yield Buffer.alloc(10);
    }
    expect((await rawRequest('PUT', `${url}/transactions/tx1/body`, { body: endless() })).status).toBe(413);
  });
});

describe('the header of a request', () => {
  it('larger than the limit is answered 431', async () => {
    const { url } = await startRestServer();
    const headers = { 'x-long': 'x'.repeat(limits.restHeaderBytes) };
    const answer = await rawRequest('GET', `${url}/transactions/tx1`, { headers });
    expect(answer.status).toBe(431);
    expect(answer.headers['content-type']).toBe('application/problem+json');
  });
});

describe('hanging GETs', () => {
  it('of one address beyond the bound are answered at once, as if nothing had changed', async () => {
    const running = await startRestServer(
      { mail: () => undefined, rcpt: () => undefined },
      { access: nobodyTrusted() },
    );
    const { headers } = await create(running);
    const etag = String(headers.etag);
    const sockets = Array.from({ length: limits.hangingGetsPerPeer }, () => {
      const socket = connect(Number(new URL(running.url).port), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(
        `GET /transactions/tx1 HTTP/1.1\r\nhost: a\r\nif-none-match: ${etag}\r\nrequest-timeout: 30\r\n\r\n`,
      );
      return socket;
    });
    const ask = { headers: { 'if-none-match': etag, 'request-timeout': '30' } };
    const probe = async (): Promise<number> => {
      const enough = new AbortController();
      const timer = realClock.sleep(500, enough.signal).then(() => enough.abort());
      const answer = await rawRequest('GET', `${running.url}/transactions/tx1`, {
        ...ask,
        signal: enough.signal,
      }).catch(() => undefined);
      enough.abort();
      await timer;
      return answer?.status ?? 0;
    };
    await expect.poll(probe, { timeout: 20_000 }).toBe(304);
    for (const socket of sockets) socket.destroy();
  });
});
