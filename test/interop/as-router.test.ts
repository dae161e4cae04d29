/** The original's router in front of our gateway: one recipient, the destination as `remote_host`, the profile by tag. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import { rawRequest } from '../http/raw-request.ts';
import { type Koukan, startKoukan } from './koukan.ts';
import { type Json, StrictTx } from './strict-client.ts';

const message = Buffer.from('From: ann@far.test\r\nSubject: hi\r\n\r\nhello\r\n.dot\r\n');
let koukan: Koukan;
/** Lets the destination answer to the message. */
const release: () => void = () => undefined;

beforeAll(async () => {
  koukan = await startKoukan({
    sink: {
      reply: (stage, address) => {
        if (stage === 'mail' && address === 'refused@far.test') return reply(550, '5.7.1', 'not you\nnot ever');
        if (stage === 'connect' || stage !== 'dot') return undefined;
        return address.startsWith('lines') ? reply(554, '5.6.0', 'first\nsecond') : undefined;
      },
    },
  });
});
afterAll(async () => {
  release();
  await koukan.stop();
});

function create(over: Json = {}): Promise<StrictTx> {
  return StrictTx.create(`${koukan.gateway}/senders/anything/transactions`, {
    remote_host: ['127.0.0.1', koukan.sink.port],
    local_host: ['192.0.2.25', 25],
    mail_from: { m: 'ann@far.test', e: [{ k: 'SIZE', p: '9' }, { k: 'BODY', p: '8BITMIME' }, { k: 'SMTPUTF8' }] },
    rcpt_to: [{ m: 'kim@dest.test', e: [{ k: 'NOTIFY', p: 'NEVER' }] }],
    smtp_meta: { ehlo_host: 'mail.far.test', esmtp: true, tls: true, auth: null },
    sender: { name: 'router', tag: 'outbound' },
    ...over,
  });
}

async function post(json: Json): Promise<number> {
  return (await rawRequest('POST', `${koukan.gateway}/senders/router/transactions`, { body: json })).status;
}

describe('the router of the original, with our gateway', () => {
  it('delivers, and the parameters of the envelope arrive', async () => {
    const tx = await create();
    await tx.settle();
    expect([tx.mailResponse?.code, tx.rcptResponses[0]?.code]).toEqual([250, 250]);
    await tx.heartbeat();
    await tx.upload(message);
    await tx.settle();
    expect(tx.dataResponse?.code).toBe(250);
    const got = koukan.sink.messages.at(-1);
    expect(got?.body.equals(message)).toBe(true);
    expect(got?.mailFrom.params.map(({ keyword, value }) => `${keyword}=${value ?? ''}`)).toEqual(
      expect.arrayContaining(['BODY=8BITMIME', 'SMTPUTF8=']),
    );
    expect(got?.rcptTo[0]?.params).toEqual([{ keyword: 'NOTIFY', value: 'NEVER' }]);
    await tx.cancel();
    await tx.get();
    expect(tx.dataResponse?.code).toBe(250);
  });

  it('uploads in chunks, is told 416 for a gap, and may repeat what it sent', async () => {
    const tx = await create({ mail_from: { m: 'chunks@far.test' } });
    await tx.settle();
    const large = Buffer.alloc(200_004, 'line\r\n');
    const gap = { body: Buffer.from('x'), headers: { 'content-range': 'bytes 5-5/*' } };
    expect((await rawRequest('PUT', tx.bodyUri, gap)).status).toBe(416);
    await tx.upload(large, 50_000);
    const again = await rawRequest('PUT', tx.bodyUri, { body: large });
    expect([again.status, again.headers['content-range'], again.body]).toEqual([200, 'bytes 0-200003/200004', '{}']);
    await tx.settle();
    expect(tx.dataResponse?.code).toBe(250);
    const sent = koukan.sink.messages.filter(({ mailFrom }) => mailFrom.address === 'chunks@far.test');
    expect(sent.map(({ body }) => body.length)).toEqual([large.length]);
  });

  it('finalizes an upload whose end it did not know with x-finalize-blob-length', async () => {
    const tx = await create();
    await tx.settle();
    const first = { body: message, headers: { 'content-range': `bytes 0-${message.length - 1}/*` } };
    const open = await rawRequest('PUT', tx.bodyUri, first);
    expect(open.headers['content-range']).toBe(`bytes 0-${message.length - 1}/*`);
    const finalize = (length: string) =>
      rawRequest('PUT', tx.bodyUri, { headers: { 'x-finalize-blob-length': length, 'content-length': '0' } });
    expect((await finalize('many')).status).toBe(400);
    expect((await finalize(String(message.length + 1))).status).toBe(416);
    expect((await finalize(String(message.length))).status).toBe(200);
    await tx.get();
    await tx.settle();
    expect(tx.dataResponse?.code).toBe(250);
  });

  it('sees refusals word by word and line by line, and MAIL refused as MAIL refused', async () => {
    const refused = await create({ mail_from: { m: 'refused@far.test' } });
    await refused.settle();
    expect(refused.mailResponse).toEqual({ code: 550, message: '5.7.1 not you\n5.7.1 not ever' });
    const lines = await create({ rcpt_to: [{ m: 'lines@dest.test' }] });
    await lines.settle();
    await lines.upload(message);
    await lines.settle();
    expect(lines.dataResponse).toEqual({ code: 554, message: '5.6.0 first\n5.6.0 second' });
  });

  it('is answered temporarily when the destination is missing, unresolved or down', async () => {
    for (const remote_host of [undefined, ['mx.far.test', 25], ['127.0.0.1', 1]]) {
      const tx = await create({ ...(remote_host === undefined ? { remote_host } : { remote_host }) });
      await tx.settle();
      expect(Math.floor((tx.mailResponse?.code ?? 0) / 100)).toBe(4);
    }
  });

  it('gets 304, never 500, when a hanging GET comes to its end while the destination thinks', async () => {
    const tx = await create({ rcpt_to: [{ m: 'datatimeout@dest.test' }] });
    await tx.settle();
    await tx.upload(message);
    let last = await tx.get(1);
    while (last.status === 200) last = await tx.get(1);
    expect(last.status).toBe(304);
    await tx.cancel();
  });

  it('is told what is wrong with a create request, and 404 for what it does not know', async () => {
    const rcpt = { mail_from: { m: 'a@b.test' }, rcpt_to: [{ m: 'c@d.test' }] };
    expect(await post(rcpt)).toBe(400);
    expect(await post({ ...rcpt, sender: { tag: 'nope' } })).toBe(400);
    expect(await post({ ...rcpt, sender: { tag: 'outbound' }, retry: {} })).toBe(400);
    expect(await post({ rcpt_to: rcpt.rcpt_to, sender: { tag: 'outbound' } })).toBe(400);
    for (const [method, path] of [
      ['GET', ''],
      ['PATCH', ''],
      ['PUT', '/body'],
      ['POST', '/cancel'],
    ] as const) {
      expect((await rawRequest(method, `${koukan.gateway}/transactions/gone${path}`)).status).toBe(404);
    }
  });
});
