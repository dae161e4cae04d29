/** Who may call the REST API, and what is believed of whom: tokens, certificates, and peers by their address, over real sockets. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hashSecret } from '../../src/lib/auth/secrets.ts';
import { type AccessOptions, openAccess } from '../../src/lib/http/access.ts';
import { memoryLog, realClock } from '../helpers/fake-deps.ts';
import { type RawAnswer, type RawAsk, rawRequest } from './raw-request.ts';
import { type Running, startRestServer } from './rest-server.ts';

const fixtures = path.resolve(import.meta.dirname, '../fixtures/mutual-tls');
const fixture = (name: string): string => path.join(fixtures, name);

const ENVELOPE = { mail_from: { m: 'ops@shop.test' }, rcpt_to: [{ m: 'kim@dest.test' }] };
const CLAIMS = {
  remote_host: ['198.51.100.7', 40022],
  local_host: ['192.0.2.1', 25],
  smtp_meta: { ehlo_host: 'mail.far.test', esmtp: true, tls: true, auth: true },
  filter_output: { 'some.Filter': { status: 1 } },
};

const TOKENS = {
  shop: { hash: hashSecret('shop-token'), senders: ['submission'] },
  gateway: { hash: hashSecret('gateway-token'), trusted: true },
  ops: { hash: hashSecret('ops-token'), operator: true },
};

async function start(options: Partial<AccessOptions>, tls?: { clientCa?: string }): Promise<Running> {
  const access = openAccess({ requireClientCert: false, ...options }, { clock: realClock, log: memoryLog() });
  const pair = { cert: fixture('server.crt'), key: fixture('server.key') };
  return startRestServer({}, { access, ...(tls && { tls: { ...pair, ...tls } }) });
}

function tokensFile(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-access-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'tokens.json');
  writeFileSync(file, JSON.stringify(TOKENS));
  return file;
}

const bearer = (token: string): RawAsk => ({ headers: { authorization: `Bearer ${token}` } });

function create({ url }: Running, more: object = {}, ask: RawAsk = {}, sender = 'submission'): Promise<RawAnswer> {
  return rawRequest('POST', `${url}/senders/${sender}/transactions`, { ...ask, body: { ...ENVELOPE, ...more } });
}

describe('a server that asks for tokens', () => {
  it('answers 401 with a challenge and a problem document to whoever has none', async () => {
    const running = await start({ authTokens: tokensFile() });
    const answer = await create(running);
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="koukan"');
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.json).toMatchObject({ status: 401, detail: 'a bearer token is needed' });
    expect(running.service.transactions.size).toBe(0);
  });

  it.each([
    ['an unknown one', 'Bearer guess', 'error="invalid_token"'],
    ['the hash of one', `Bearer ${hashSecret('shop-token')}`, 'error="invalid_token"'],
    ['an empty one', 'Bearer ', 'Bearer realm'],
    ['another scheme', 'Basic c2hvcC10b2tlbg==', 'Bearer realm'],
  ])('answers 401 to %s', async (_, authorization, challenge) => {
    const answer = await create(await start({ authTokens: tokensFile() }), {}, { headers: { authorization } });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toContain(challenge);
  });

  it.each(['GET', 'PATCH', 'PUT', 'POST'])('guards every route: %s', async (method) => {
    const { url } = await start({ authTokens: tokensFile() });
    const paths = [
      '/transactions/tx1',
      '/transactions/tx1/body',
      '/transactions/tx1/cancel',
      '/nowhere',
      '/openapi.json',
    ];
    for (const each of paths) expect((await rawRequest(method, url + each)).status).toBe(401);
  });

  it('lets a token submit as its senders, and answers 403 for another whether there is such a one or not', async () => {
    const running = await start({ authTokens: tokensFile() });
    expect((await create(running, {}, bearer('shop-token'))).status).toBe(201);
    for (const sender of ['other', 'unknown']) {
      const answer = await create(running, {}, bearer('shop-token'), sender);
      expect(answer.status).toBe(403);
      expect(answer.headers['www-authenticate']).toContain('error="insufficient_scope"');
      expect(answer.json).toMatchObject({ detail: `this token is not for the sender ${sender}` });
    }
    expect(running.service.transactions.size).toBe(1);
  });

  it('takes the name of the scheme in any case', async () => {
    const running = await start({ authTokens: tokensFile() });
    expect((await create(running, {}, { headers: { authorization: 'bearer  shop-token' } })).status).toBe(201);
  });

  it('believes a trusted token, and nobody else, about the connection', async () => {
    const running = await start({ authTokens: tokensFile() });
    expect((await create(running, CLAIMS, bearer('gateway-token'))).status).toBe(201);
    expect(running.service.latest.ask.smtpMeta?.auth).toBe(true);
    for (const token of ['shop-token', 'ops-token'])
      expect((await create(running, CLAIMS, bearer(token))).status).toBe(403);
  });

  it('hears why an upload without a token was refused, and does not wait for all of it', async () => {
    const { url } = await start({ authTokens: tokensFile() });
    const answer = await rawRequest('PUT', `${url}/transactions/tx1/body`, { body: Buffer.alloc(4 * 1024 * 1024) });
    expect(answer.status).toBe(401);
  });
});

describe('what only a gateway can know', () => {
  it.each(Object.entries(CLAIMS))(
    '%s is refused with its pointer from a peer that is not trusted',
    async (key, value) => {
      const running = await start({ trustedPeers: [] });
      const answer = await create(running, { [key]: value });
      expect(answer.status).toBe(403);
      expect(answer.json).toMatchObject({ pointer: `/${key}` });
      expect((answer.json as { detail: string }).detail).toContain('rest_listener.trusted_peers');
      expect(running.service.transactions.size).toBe(0);
    },
  );

  it('is refused in a PATCH too', async () => {
    const { url } = await start({ trustedPeers: [] });
    const { headers } = await rawRequest('POST', `${url}/senders/a/transactions`, { body: ENVELOPE });
    const answer = await rawRequest('PATCH', `${url}/transactions/tx1`, {
      headers: { 'if-match': String(headers.etag) },
      body: { filter_output: CLAIMS.filter_output },
    });
    expect(answer.status).toBe(403);
    expect(answer.json).toMatchObject({ pointer: '/filter_output' });
  });

  it('may be an empty filter_output, which says nothing', async () => {
    expect((await create(await start({ trustedPeers: [] }), { filter_output: {} })).status).toBe(201);
  });

  it('is believed from this machine where nothing else is configured', async () => {
    expect((await create(await start({}), CLAIMS)).status).toBe(201);
  });

  it.each(['x-forwarded-for', 'forwarded', 'via', 'x-real-ip'])(
    'is not believed from a proxy on this machine, told by %s',
    async (header) => {
      expect((await create(await start({}), CLAIMS, { headers: { [header]: '203.0.113.9' } })).status).toBe(403);
    },
  );

  it('is believed from the networks that are listed, and only from them', async () => {
    const running = await start({ trustedPeers: ['127.0.0.2/32'] });
    expect((await create(running, CLAIMS, { connect: { localAddress: '127.0.0.2' } })).status).toBe(201);
    expect((await create(running, CLAIMS, { connect: { localAddress: '127.0.0.3' } })).status).toBe(403);
  });
});

describe('client certificates', () => {
  const clientCa = fixture('authority.crt');

  function certificate(name: string | undefined): RawAsk {
    const pem = (file: string): Buffer => readFileSync(fixture(file));
    const own = name === undefined ? {} : { cert: pem(`${name}.crt`), key: pem(`${name}.key`) };
    return { connect: { ca: pem('authority.crt'), ...own } };
  }

  it('let their owner in where they are required, and believe it', async () => {
    const running = await start({ clientCa, requireClientCert: true }, { clientCa });
    expect((await create(running, CLAIMS, certificate('gateway'))).status).toBe(201);
  });

  it.each([
    ['none', undefined],
    ['one of another authority', 'stranger'],
  ])('answers 401 to %s', async (_, name) => {
    const running = await start({ clientCa, requireClientCert: true }, { clientCa });
    const answer = await create(running, {}, certificate(name));
    expect(answer.status).toBe(401);
    expect(answer.json).toMatchObject({ detail: 'a client certificate of the configured authority is needed' });
    expect(running.service.transactions.size).toBe(0);
  });

  it.each(['gateway.example', 'gateway-alias.example'])('are trusted by their name %s', async (name) => {
    const options = { clientCa, requireClientCert: true, trustedNames: [name], trustedPeers: [] };
    const running = await start(options, { clientCa });
    expect((await create(running, CLAIMS, certificate('gateway'))).status).toBe(201);
    expect((await create(running, CLAIMS, certificate('application'))).status).toBe(403);
    expect((await create(running, {}, certificate('application'))).status).toBe(201);
  });

  it('stand for a token where the name is trusted', async () => {
    const options = { clientCa, authTokens: tokensFile(), trustedNames: ['gateway.example'] };
    const running = await start(options, { clientCa });
    expect((await create(running, CLAIMS, certificate('gateway'))).status).toBe(201);
    expect((await create(running, {}, certificate('application'))).status).toBe(401);
    expect((await create(running, {}, { ...certificate('application'), ...bearer('shop-token') })).status).toBe(201);
  });
});
