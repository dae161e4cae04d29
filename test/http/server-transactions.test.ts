import { describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../src/lib/core/errors.ts';
import { reply } from '../../src/lib/core/response.ts';
import { RedirectProblem } from '../../src/lib/http/service.ts';
import { MemoryService } from '../helpers/memory-service.ts';
import { newGate } from './gate.ts';
import { rawRequest } from './raw-request.ts';
import { startRestServer } from './rest-server.ts';

const ENVELOPE = { mail_from: { m: 'ops@shop.test' }, rcpt_to: [{ m: 'kim@dest.test' }] };

describe('creating a transaction', () => {
  it('answers 201 with location, etag, the exact JSON content type, and placeholders for what was sent', async () => {
    const { url } = await startRestServer({ mail: () => undefined, rcpt: () => undefined });
    const answer = await rawRequest('POST', `${url}/senders/news/transactions`, {
      body: {
        ...ENVELOPE,
        remote_host: ['198.51.100.7', 40022],
        local_host: ['2001:db8::1', 25],
        smtp_meta: { ehlo_host: 'mail.far.test', esmtp: true, tls: true, auth: null },
        sender: { name: 'news', tag: 'mx' },
        filter_output: { 'some.Filter': { status: 1 } },
      },
    });
    expect(answer.status).toBe(201);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.headers.location).toBe(`${url}/transactions/tx1`);
    expect(answer.headers.etag).toMatch(/^\d+$/);
    expect(answer.json).toEqual({
      remote_host: ['198.51.100.7', 40022],
      local_host: ['2001:db8::1', 25],
      mail_from: {},
      rcpt_to: [{}],
      sender: {},
      body: { blob_status: { uri: `${url}/transactions/tx1/body` } },
    });
  });

  it('passes on the envelope, the parameters, the session and the tag', async () => {
    const { url, service } = await startRestServer();
    await rawRequest('POST', `${url}/senders/news/transactions`, {
      body: {
        mail_from: { m: '', e: [{ k: 'SIZE', p: '812' }, { k: 'smtputf8' }] },
        smtp_meta: { ehlo_host: 'h', esmtp: true, tls: false, auth: true },
        sender: { tag: 'mx' },
      },
    });
    expect(service.latest.sender).toBe('news');
    expect(service.latest.ask).toMatchObject({
      tag: 'mx',
      mailFrom: { address: '', params: [{ keyword: 'SIZE', value: '812' }, { keyword: 'smtputf8' }] },
      rcptTo: [],
      smtpMeta: { ehloHost: 'h', esmtp: true, tls: false, auth: true },
    });
  });

  it('ignores the content type of a create and never shows blobs with finalized false', async () => {
    const { url } = await startRestServer();
    const answer = await rawRequest('POST', `${url}/senders/news/transactions`, {
      headers: { 'content-type': 'text/plain' },
      body: JSON.stringify({
        ...ENVELOPE,
        body: {
          message_builder: {
            headers: [['subject', 'Hi']],
            text_body: [{ content_type: 'text/html', content: { create_id: 'hero/1', reuse_uri: '/x' } }],
          },
        },
      }),
    });
    expect(answer.json).toMatchObject({
      body: { message_builder: { blob_status: { 'hero/1': { uri: `${url}/transactions/tx1/blob/hero%2F1` } } } },
    });
    expect(answer.body).not.toContain('finalized');
  });

  it.each([
    ['an unknown field', { mail_form: { m: 'a@b.test' } }, '/mail_form', 'did you mean "mail_from"?'],
    ['an unknown inner field', { ...ENVELOPE, body: { inlin: 'x' } }, '/body/inlin', 'did you mean "inline"?'],
    ['null', { mail_from: null }, '/mail_from', ''],
    ['an empty list', { mail_from: { m: 'a@b.test' }, rcpt_to: [] }, '/rcpt_to', ''],
    ['a recipient without an address', { rcpt_to: [{ m: 'a@b.test' }, {}] }, '/rcpt_to/1/m', ''],
    ['a line break in an address', { mail_from: { m: 'a@b.test\r\nDATA' } }, '/mail_from/m', ''],
    ['a parameter with a space', { mail_from: { m: '', e: [{ k: 'SIZE', p: '1 2' }] } }, '/mail_from/e/0/p', ''],
    ['a port that is none', { remote_host: ['192.0.2.1', 70_000] }, '/remote_host/1', ''],
    ['a sender with more than name and tag', { sender: { name: 'a', password: 'x' } }, '/sender/password', ''],
    ['a builder part without content', partOf({}), '/body/message_builder/text_body/0/content', 'needs one of'],
    ['retry, which the configuration decides', { retry: {} }, '/retry', 'unknown field'],
    ['a slash in an unknown field', { 'a/b~c': 1 }, '/a~1b~0c', 'unknown field'],
    ['a list', [], '', ''],
    ['a long reverse-path', { mail_from: { m: `${'a'.repeat(1019)}@b.test` } }, '/mail_from/m', ''],
    [
      'a long path',
      { rcpt_to: [{ m: 'a@b.test' }, { m: `${'é'.repeat(509)}@b.test` }] },
      '/rcpt_to/1/m',
      '1024 octets',
    ],
    ['two bodies', { body: { inline: 'x', reuse_uri: 'y' } }, '/body', 'one of'],
  ])('refuses %s with 400 and a pointer to it', async (_, body, pointer, detail) => {
    const { url } = await startRestServer();
    const answer = await rawRequest('POST', `${url}/senders/news/transactions`, { body });
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.json).toMatchObject({ status: 400, pointer, detail: expect.stringContaining(detail) });
  });

  it('takes paths up to the limit', async () => {
    const { url } = await startRestServer();
    const body = { mail_from: { m: `${'a'.repeat(1017)}@b.test` }, rcpt_to: [{ m: `${'é'.repeat(508)}@b.test` }] };
    expect((await rawRequest('POST', `${url}/senders/news/transactions`, { body })).status).toBe(201);
  });

  it.each([
    ['broken JSON', '{"mail_from":'],
    ['nothing', ''],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['nesting without end', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ])('refuses %s with 400', async (_, body) => {
    const { url, log } = await startRestServer();
    const answer = await rawRequest('POST', `${url}/senders/news/transactions`, { body });
    expect(answer.status).toBe(400);
    expect(log.lines).toEqual([]);
  });

  it('refuses more JSON than the limit with 413', async () => {
    const { url } = await startRestServer({}, { bodyLimits: { jsonBytes: 1000 } });
    const body = { body: { inline: 'x'.repeat(2000) } };
    expect((await rawRequest('POST', `${url}/senders/news/transactions`, { body })).status).toBe(413);
  });

  it('refuses more recipients than the limit', async () => {
    const { url } = await startRestServer();
    const body = { rcpt_to: Array.from({ length: 1001 }, (_, i) => ({ m: `u${i}@b.test` })) };
    const answer = await rawRequest('POST', `${url}/senders/news/transactions`, { body });
    expect(answer).toMatchObject({ status: 400, json: { pointer: '/rcpt_to' } });
  });
});

function partOf(content: object): object {
  return { body: { message_builder: { text_body: [{ content_type: 'text/plain', content }] } } };
}

describe('reading a transaction', () => {
  it('shows replies line by line, attempts and the final reason', async () => {
    const { url, service } = await startRestServer({
      mail: () => reply(250, '2.1.0', 'ok'),
      rcpt: () => ({ code: 550, enhanced: '5.1.1', text: 'no such user\nreally' }),
    });
    await rawRequest('POST', `${url}/senders/news/transactions`, { body: ENVELOPE });
    service.latest.live.apply({ type: 'adopt', retry: true, notification: true });
    service.latest.live.apply({ type: 'signal', filter: 'some.Filter', value: { secret: 1 } });
    service.latest.live.apply({
      type: 'finish',
      final: { outcome: 'failed', text: 'upstream rcpt_response permfail' },
    });
    const answer = await rawRequest('GET', `${url}/transactions/tx1`);
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({
      mail_response: { code: 250, message: '2.1.0 ok' },
      rcpt_response: [{ code: 550, message: '5.1.1 no such user\n5.1.1 really' }],
      retry: {},
      notification: {},
      filter_output: {},
      final_attempt_reason: 'upstream rcpt_response permfail',
    });
  });

  it('answers at once without If-None-Match, with another ETag, and with a star', async () => {
    const { url } = await startRestServer({ mail: () => undefined });
    await rawRequest('POST', `${url}/senders/news/transactions`, { body: {} });
    for (const headers of [{}, { 'if-none-match': '99' }, { 'if-none-match': '*' }]) {
      expect((await rawRequest('GET', `${url}/transactions/tx1`, { headers })).status).toBe(200);
    }
  });

  it('waits for a change and answers with it', async () => {
    const { url, service } = await startRestServer({ mail: () => undefined });
    const created = await rawRequest('POST', `${url}/senders/news/transactions`, { body: { mail_from: { m: '' } } });
    const etag = String(created.headers.etag);
    const waiting = rawRequest('GET', `${url}/transactions/tx1`, { headers: { 'if-none-match': `"${etag}"` } });
    service.latest.live.apply({ type: 'mailReply', response: reply(250, '2.1.0', 'ok') });
    const answer = await waiting;
    expect(answer.status).toBe(200);
    expect(Number(answer.headers.etag)).toBeGreaterThan(Number(etag));
    expect(answer.json).toMatchObject({ mail_response: { code: 250 } });
  });

  it('answers 304 with the If-None-Match verbatim when nothing changed in time', async () => {
    const { url } = await startRestServer({ mail: () => undefined });
    const created = await rawRequest('POST', `${url}/senders/news/transactions`, { body: {} });
    for (const tag of [String(created.headers.etag), `"${created.headers.etag}"`]) {
      const answer = await rawRequest('GET', `${url}/transactions/tx1`, {
        headers: { 'if-none-match': tag, 'request-timeout': '0' },
      });
      expect(answer).toMatchObject({ status: 304, body: '', headers: { etag: tag } });
    }
  });

  it('refuses a request-timeout that is not a number of seconds, but only on a hanging GET', async () => {
    const { url } = await startRestServer();
    await rawRequest('POST', `${url}/senders/news/transactions`, { body: {} });
    const bad = { 'request-timeout': 'soon' };
    const hanging = { headers: { ...bad, 'if-none-match': '1' } };
    expect((await rawRequest('GET', `${url}/transactions/tx1`, hanging)).status).toBe(400);
    expect((await rawRequest('GET', `${url}/transactions/tx1`, { headers: bad })).status).toBe(200);
  });

  it('stops waiting when the client goes away', async () => {
    const stopped = newGate();
    const entered = newGate();
    class Waiting extends MemoryService {
      override async read(...args: Parameters<MemoryService['read']>) {
        const [, wait, signal] = args;
        if (wait === undefined) return super.read(...args);
        signal.addEventListener('abort', () => stopped.open());
        entered.open();
        await stopped.opened;
        return undefined;
      }
    }
    const service = new Waiting();
    const { url } = await startRestServer({}, { service });
    await rawRequest('POST', `${url}/senders/news/transactions`, { body: {} });
    const client = new AbortController();
    const waiting = rawRequest('GET', `${url}/transactions/tx1`, {
      headers: { 'if-none-match': '2' },
      signal: client.signal,
    });
    await entered.opened;
    client.abort();
    await expect(waiting).rejects.toThrow();
    await stopped.opened;
  });

  it('answers everybody who waits when the server closes', async () => {
    const entered = newGate();
    class Watched extends MemoryService {
      override read(...args: Parameters<MemoryService['read']>) {
        entered.open();
        return super.read(...args);
      }
    }
    const { url, server } = await startRestServer({}, { service: new Watched() });
    const created = await rawRequest('POST', `${url}/senders/news/transactions`, { body: {} });
    const headers = { 'if-none-match': String(created.headers.etag) };
    const waiting = rawRequest('GET', `${url}/transactions/tx1`, { headers });
    await entered.opened;
    const closed = server.close();
    expect((await waiting).status).toBe(304);
    await closed;
  });

  it('answers 404 for what does not exist, and redirects with 308 to the replica that has it', async () => {
    class Elsewhere extends MemoryService {
      override read(...args: Parameters<MemoryService['read']>) {
        if (args[0] === 'moved') return Promise.reject(new RedirectProblem('http://other:8000'));
        return super.read(...args);
      }
    }
    const { url } = await startRestServer({}, { service: new Elsewhere() });
    expect((await rawRequest('GET', `${url}/transactions/none`)).status).toBe(404);
    const moved = await rawRequest('GET', `${url}/transactions/moved`);
    expect(moved).toMatchObject({ status: 308, headers: { location: 'http://other:8000/transactions/moved' } });
    const patch = await rawRequest('PATCH', `${url}/transactions/moved`, { body: { bad: 1 } });
    expect(patch.status).toBe(308);
  });
});

describe('patching a transaction', () => {
  it('takes an empty PATCH without a content type as a heartbeat', async () => {
    const { url, service } = await startRestServer();
    await rawRequest('POST', `${url}/senders/news/transactions`, { body: {} });
    const before = service.latest.live.version;
    const answer = await rawRequest('PATCH', `${url}/transactions/tx1`, { headers: { 'content-length': '0' } });
    expect(answer.status).toBe(200);
    expect(Number(answer.headers.etag)).toBeGreaterThan(before);
    expect(service.latest.heartbeats).toBe(1);
  });

  it('adds recipients behind those that are there, and shows the true state of the body', async () => {
    const { url, service } = await startRestServer({ mail: () => undefined, rcpt: () => undefined });
    const created = await rawRequest('POST', `${url}/senders/news/transactions`, { body: { mail_from: { m: '' } } });
    const first = await rawRequest('PATCH', `${url}/transactions/tx1`, {
      headers: { 'if-match': String(created.headers.etag) },
      body: { rcpt_to: [{ m: 'kim@dest.test' }], mail_from_list_offset: 3 },
    });
    expect(first.status).toBe(200);
    service.latest.blobs.set('', { parts: [], length: 3, total: 3 });
    const second = await rawRequest('PATCH', `${url}/transactions/tx1`, {
      headers: { 'if-match': `"${first.headers.etag}"`, 'content-type': 'application/json; charset=utf-8' },
      body: { rcpt_to: [{ m: 'zed@dest.test' }], rcpt_to_list_offset: 1 },
    });
    expect(second.status).toBe(200);
    expect(second.json).toMatchObject({ rcpt_to: [{}, {}], body: { blob_status: { finalized: true } } });
    expect(service.latest.live.state.rcptTo.map((to) => to.address)).toEqual(['kim@dest.test', 'zed@dest.test']);
  });

  it('reports, in this order: content type, unknown transaction, fields, missing If-Match, offset, version', async () => {
    const { url } = await startRestServer({ mail: () => undefined });
    await rawRequest('POST', `${url}/senders/news/transactions`, { body: { ...ENVELOPE } });
    const patch = async (id: string, headers: Record<string, string>, body: object): Promise<number> =>
      (await rawRequest('PATCH', `${url}/transactions/${id}`, { headers, body })).status;
    const next = { rcpt_to: [{ m: 'zed@dest.test' }] };
    expect(await patch('none', { 'content-type': 'text/plain' }, {})).toBe(400);
    expect(await patch('none', {}, { bad: 1 })).toBe(404);
    expect(await patch('tx1', {}, { cancelled: true })).toBe(400);
    expect(await patch('tx1', {}, { body: {} })).toBe(400);
    expect(await patch('tx1', {}, {})).toBe(400);
    const fresh = { 'if-match': String((await rawRequest('GET', `${url}/transactions/tx1`)).headers.etag) };
    expect(await patch('tx1', fresh, next)).toBe(400);
    expect(await patch('tx1', fresh, { ...next, rcpt_to_list_offset: 5 })).toBe(409);
    expect(await patch('tx1', { 'if-match': '0' }, { ...next, rcpt_to_list_offset: 1 })).toBe(412);
  });
});

describe('the server', () => {
  it('cancels with an empty 200', async () => {
    const { url } = await startRestServer({ mail: () => undefined });
    await rawRequest('POST', `${url}/senders/news/transactions`, { body: {} });
    expect(await rawRequest('POST', `${url}/transactions/tx1/cancel`)).toMatchObject({ status: 200, body: '' });
    expect((await rawRequest('GET', `${url}/transactions/tx1`)).json).toMatchObject({
      cancelled: true,
      final_attempt_reason: 'downstream cancelled',
    });
  });

  it('answers 503 with retry-after when too many requests are at work', async () => {
    const gate = newGate();
    const entered = newGate();
    class Slow extends MemoryService {
      override async cancel(): Promise<void> {
        entered.open();
        await gate.opened;
      }
    }
    const { url } = await startRestServer({}, { service: new Slow(), maxInflight: 1 });
    const first = rawRequest('POST', `${url}/transactions/a/cancel`);
    await entered.opened;
    const second = await rawRequest('POST', `${url}/transactions/b/cancel`);
    expect(second).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    gate.open();
    expect((await first).status).toBe(200);
    expect((await rawRequest('POST', `${url}/transactions/c/cancel`)).status).toBe(200);
  });

  it('answers 503 with retry-after, and without internals, while the store is away', async () => {
    const { url, service } = await startRestServer();
    service.heartbeat = () => Promise.reject(new StoreUnavailableError('cannot write /var/lib/secret.sqlite'));
    const answer = await rawRequest('PATCH', `${url}/transactions/tx1`);
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(JSON.stringify(answer.json)).not.toContain('secret');
  });

  it('answers 500 without internals for a bug, and logs it', async () => {
    class Broken extends MemoryService {
      override cancel(): Promise<void> {
        return Promise.reject(new Error('secret path /etc'));
      }
    }
    const { url, log } = await startRestServer({}, { service: new Broken() });
    const answer = await rawRequest('POST', `${url}/transactions/a/cancel`);
    expect(answer).toMatchObject({ status: 500, json: { detail: 'internal error' } });
    expect(answer.body).not.toContain('secret');
    expect(log.lines).toMatchObject([{ level: 'error' }]);
  });

  it('has a document of itself and no other page', async () => {
    const { url } = await startRestServer();
    const document = await rawRequest('GET', `${url}/openapi.json`);
    expect(document.headers['content-type']).toBe('application/json');
    expect(document.json).toMatchObject({ openapi: '3.1.0' });
    expect(Object.keys((document.json as { paths: object }).paths).sort()).toEqual([
      '/senders/{sender}/transactions',
      '/transactions/{id}',
      '/transactions/{id}/blob/{blob}',
      '/transactions/{id}/body',
      '/transactions/{id}/cancel',
    ]);
    expect(document.body).not.toContain('$ref');
    for (const path of ['/', '/docs', '/documentation', '/redoc', '/openapi.json/', '/%zz']) {
      const answer = await rawRequest('GET', `${url}${path}`);
      expect([400, 404]).toContain(answer.status);
      expect(answer.headers['content-type']).toBe('application/problem+json');
    }
    expect((await rawRequest('DELETE', `${url}/transactions/tx1`)).status).toBe(405);
  });
});
