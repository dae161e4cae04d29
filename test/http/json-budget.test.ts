/** How much JSON a server reads at the same time: bounded for all together and for each address, and given back whatever becomes of a request. */
import { describe, expect, it } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import type { Access } from '../../src/lib/http/access.ts';
import { newGate } from './gate.ts';
import { rawRequest } from './raw-request.ts';
import { startRestServer } from './rest-server.ts';

const KB = 1024;
const ALL = 400 * KB;
const bodyLimits = { allJsonBytes: ALL };
/** Not trusted. */
const app = { name: 'app', senders: 'any', isTrusted: false, isOperator: false } as const;
const access: Access = { identify: () => app } as unknown as Access;

/** A create of about so many bytes. */
function create(bytes: number): string {
  const mailboxes = { mail_from: { m: 'ops@shop.test' }, rcpt_to: [{ m: 'kim@dest.test' }] };
  return JSON.stringify({ ...mailboxes, body: { inline: 'x'.repeat(bytes) } });
}

const small = create(2 * KB);
const json = { 'content-type': 'application/json' };

function send(url: string, entity: string) {
  return rawRequest('POST', `${url}/senders/a/transactions`, { body: entity, headers: json });
}

/** Sends all but the last byte, chunked or with its length before it, and the rest when it is let go. */
function sendSlowly(url: string, entity: string, headers: Readonly<Record<string, string>> = {}, signal?: AbortSignal) {
  const go = newGate();
  const body = (async function* () {
    yield Buffer.from(entity.slice(0, -1));
    await go.opened;
    yield Buffer.from(entity.slice(-1));
  })();
  const ask = { body, headers: { ...json, ...headers }, ...(signal && { signal }) };
  return { go, answer: rawRequest('POST', `${url}/senders/a/transactions`, ask) };
}

/** Until the server has no room for so much more. */
async function untilFull(url: string, entity: string): Promise<Awaited<ReturnType<typeof send>>> {
  for (let i = 0; i < 1000; i += 1) {
    const answer = await send(url, entity);
    if (answer.status !== 201) return answer;
  }
  throw new Error('there was room all the time');
}

async function untilTaken(url: string, entity: string): Promise<void> {
  for (let i = 0; i < 1000; i += 1) if ((await send(url, entity)).status === 201) return;
  throw new Error('there was never room');
}

const withLength = (entity: string) => ({ 'content-length': String(entity.length) });

describe.each([
  ['says how long it is', withLength],
  ['does not say how long it is', () => ({})],
])('while a large request that %s is read', (_, headers) => {
  it('others are asked to come back if they are large, and taken if they are small', async () => {
    const refusals: string[] = [];
    const admission = { overload: undefined, refused: (door: string, why: string) => refusals.push(`${door} ${why}`) };
    const { url, service } = await startRestServer({}, { bodyLimits, admission });
    const first = create(300 * KB);
    const { go, answer } = sendSlowly(url, first, headers(first));
    const refused = await untilFull(url, create(200 * KB));
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
    expect(refused.headers['content-type']).toBe('application/problem+json');
    expect(refusals).toEqual(['create places']);
    expect((await send(url, small)).status).toBe(201);
    go.open();
    expect((await answer).status).toBe(201);
    expect((await send(url, create(200 * KB))).status).toBe(201);
    expect(service.transactions.size).toBeGreaterThan(2);
  });

  it('there is room again when its client goes away', async () => {
    const { url } = await startRestServer({}, { bodyLimits });
    const gone = new AbortController();
    const first = create(300 * KB);
    const { answer } = sendSlowly(url, first, headers(first), gone.signal);
    await untilFull(url, create(200 * KB));
    gone.abort();
    await expect(answer).rejects.toThrow();
    await untilTaken(url, create(200 * KB));
  });
});

it('a request that grows beyond what is left is refused where it stands', async () => {
  const { url, service } = await startRestServer({}, { bodyLimits });
  const { go, answer } = sendSlowly(url, create(500 * KB));
  // Also by who writes all of it before he reads.
  expect(await send(url, create(4000 * KB))).toMatchObject({ status: 503 });
  expect(await answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  go.open();
  expect(service.transactions.size).toBe(0);
  expect((await send(url, create(300 * KB))).status).toBe(201);
});

it('one address gets a part of it only, unless it is trusted', async () => {
  const { url } = await startRestServer({}, { bodyLimits, access });
  expect((await send(url, create(90 * KB))).status).toBe(201);
  const first = create(90 * KB);
  const { go, answer } = sendSlowly(url, first, withLength(first));
  expect(await untilFull(url, create(50 * KB))).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
  const connect = { localAddress: '127.0.0.2' };
  const elsewhere = { body: create(90 * KB), headers: json, connect };
  expect((await rawRequest('POST', `${url}/senders/a/transactions`, elsewhere)).status).toBe(201);
  go.open();
  expect((await answer).status).toBe(201);
});

it('has room for the largest request of several addresses', () => {
  expect(limits.requestsJsonBytes / 4).toBeGreaterThanOrEqual(limits.requestJsonBytes);
});
