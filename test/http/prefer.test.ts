import { describe, expect, it } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { reply } from '../../src/lib/core/response.ts';
import { readPreferences } from '../../src/lib/http/prefer.ts';
import { openExchange } from './client-hop.ts';
import { newGate } from './gate.ts';
import { rawRequest } from './raw-request.ts';
import { startRestServer } from './rest-server.ts';

const ENVELOPE = { mail_from: { m: 'ops@shop.test' }, rcpt_to: [{ m: 'kim@dest.test' }] };
const OK = reply(250, '2.0.0', 'ok');

describe('a client that prefers to wait', () => {
  it('has the replies in the answer to its create, and one that does not is answered before them', async () => {
    const rcpt = newGate();
    const { url } = await startRestServer({ rcpt: () => rcpt.opened.then(() => OK) });
    const create = (headers: Record<string, string>) =>
      rawRequest('POST', `${url}/senders/news/transactions`, { headers, body: ENVELOPE });
    expect((await create({})).json).not.toHaveProperty('rcpt_response');
    const waiting = create({ prefer: 'wait=20' });
    rcpt.open();
    const answer = await waiting;
    expect(answer.status).toBe(201);
    expect(answer.json).toMatchObject({ mail_response: { code: 250 }, rcpt_response: [{ code: 250 }] });
    const read = await rawRequest('GET', answer.headers.location as string);
    expect(read.headers.etag).toBe(answer.headers.etag);
  });

  it('is answered without them when its time is over', async () => {
    const { url } = await startRestServer({ rcpt: () => undefined });
    const answer = await rawRequest('POST', `${url}/senders/news/transactions`, {
      headers: { prefer: 'wait=1' },
      body: ENVELOPE,
    });
    expect(answer.status).toBe(201);
    expect(answer.json).toMatchObject({ mail_response: { code: 250 }, rcpt_to: [{}] });
    expect(answer.json).not.toHaveProperty('rcpt_response');
  });

  it('has the transaction in the answer to its upload, and the reply to the message', async () => {
    const { url, service } = await startRestServer();
    await rawRequest('POST', `${url}/senders/news/transactions`, { headers: { prefer: 'wait=20' }, body: ENVELOPE });
    const headers = { prefer: 'return=representation, wait=20' };
    const answer = await rawRequest('PUT', `${url}/transactions/tx1/body`, { headers, body: 'Subject: x' });
    expect(answer.headers).toMatchObject({
      'preference-applied': 'return=representation',
      'content-range': 'bytes 0-9/10',
      etag: String(service.latest.live.version),
    });
    expect(answer.json).toMatchObject({ data_response: { code: 250 }, body: { blob_status: { finalized: true } } });
  });

  it('is not at work while it waits: others are served', async () => {
    const { url, service } = await startRestServer({ rcpt: () => undefined }, { maxInflight: 1 });
    const create = (headers: Record<string, string>) =>
      rawRequest('POST', `${url}/senders/news/transactions`, { headers, body: ENVELOPE });
    const waiting = create({ prefer: 'wait=5' });
    await expect.poll(() => service.transactions.size).toBe(1);
    expect((await create({})).status).toBe(201);
    await rawRequest('POST', `${url}/transactions/tx1/cancel`);
    expect((await waiting).json).toMatchObject({ cancelled: true });
  });

  it('is answered when the server closes', async () => {
    const { url, service, server } = await startRestServer({ rcpt: () => undefined });
    const headers = { prefer: 'wait=30' };
    const waiting = rawRequest('POST', `${url}/senders/news/transactions`, { headers, body: ENVELOPE });
    await expect.poll(() => service.transactions.size).toBe(1);
    await server.close();
    expect((await waiting).status).toBe(201);
  });
});

describe('our client with our server', () => {
  it('needs three requests for a conversation, and two for a message to one recipient', async () => {
    const asked: string[] = [];
    const onAnswer = ({ method }: { readonly method: string }): void => void asked.push(method);
    const { url } = await startRestServer({}, { hooks: { onAnswer } });
    const conversation = openExchange(url, { ask: { createAt: 'mail' } });
    expect(await conversation.mail(mailbox('ann@far.test'))).toMatchObject({ code: 250 });
    expect(await conversation.rcpt(mailbox('kim@dest.test'))).toMatchObject({ code: 250 });
    expect(await conversation.data(memoryBody(Buffer.from('Subject: x')))).toMatchObject({ code: 250 });
    await conversation.close();
    const single = openExchange(url);
    await Promise.all([single.mail(mailbox('ann@far.test')), single.rcpt(mailbox('kim@dest.test'))]);
    expect(await single.data(memoryBody(Buffer.from('Subject: x')))).toMatchObject({ code: 250 });
    await single.close();
    await expect.poll(() => asked).toEqual(['POST', 'PATCH', 'PUT', 'POST', 'PUT']);
  });
});

describe('the Prefer header', () => {
  it.each([
    [undefined, 0, false],
    ['respond-async', 0, false],
    ['wait=7', 7000, false],
    ['Wait = "7"', 7000, false],
    ['return=representation; foo, wait=900', 30_000, true],
    [['return=representation', 'wait=2'], 2000, true],
    ['return=minimal, await=3', 0, false],
    ['wait=-1', 0, false],
  ])('%j', (header, waitMs, isViewWanted) => {
    expect(readPreferences(header)).toEqual({ waitMs, isViewWanted });
  });
});
