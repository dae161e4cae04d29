/** The original's gateway in front of our router: the incremental dialect, with a client that forgives nothing. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawRequest } from '../http/raw-request.ts';
import { type Koukan, startKoukan } from './koukan.ts';
import { type Json, StrictTx } from './strict-client.ts';

const message = Buffer.from('From: ann@far.test\r\nSubject: hi\r\n\r\nhello\r\n');
let koukan: Koukan;

beforeAll(async () => {
  koukan = await startKoukan();
});
afterAll(() => koukan.stop());

/** What the original's gateway says at MAIL. */
function mailJson(over: Json = {}): Json {
  return {
    remote_host: ['198.51.100.7', 40_022],
    local_host: ['192.0.2.25', 25],
    mail_from: { m: 'ann@far.test', e: [{ k: 'SIZE', p: String(message.length) }] },
    smtp_meta: { ehlo_host: 'mail.far.test', esmtp: true, tls: true, auth: null },
    sender: { name: 'ingress', tag: 'smtp' },
    ...over,
  };
}

function create(sender: 'ingress' | 'submission' = 'ingress', over: Json = {}): Promise<StrictTx> {
  const json = mailJson({ sender: { name: sender, tag: 'smtp' }, ...over });
  return StrictTx.create(`${koukan.router}/senders/${sender}/transactions`, json);
}

async function mailAndRcpts(tx: StrictTx, ...rcpts: string[]): Promise<void> {
  await tx.settle();
  expect(tx.mailResponse?.code).toBe(250);
  for (const m of rcpts) {
    await tx.addRcpts({ m });
    await tx.settle();
  }
}

describe('the gateway of the original, with our router', () => {
  it('gets a message to two of three recipients, each RCPT answered by the far end', async () => {
    const tx = await create();
    await mailAndRcpts(tx, 'kim@dest.test', 'rcptperm@dest.test', 'lee@dest.test');
    expect(tx.rcptResponses.map(({ code }) => code)).toEqual([250, 550, 250]);
    expect(tx.rcptResponses[1]?.message).toContain('rcpt perm');
    await tx.upload(message);
    await tx.settle();
    expect(tx.dataResponse?.code).toBe(250);
    const sent = koukan.sink.messages.filter(({ mailFrom }) => mailFrom.address === 'ann@far.test');
    expect(sent.map(({ rcptTo }) => rcptTo[0]?.address).toSorted()).toEqual(['kim@dest.test', 'lee@dest.test']);
    expect(sent[0]?.body.toString()).toMatch(
      /^Received: from mail\.far\.test \(\[198\.51\.100\.7\]\)[\s\S]*with ESMTPS\r\n/,
    );
  });

  it('uploads in chunks, with heartbeats in between, and nothing it has seen ever changes', async () => {
    const tx = await create();
    await mailAndRcpts(tx, 'chunks@dest.test');
    await tx.heartbeat();
    const large = Buffer.concat([message, Buffer.alloc(300_000, 'x\r\n')]);
    await tx.upload(large, 65_536);
    await tx.settle();
    await tx.heartbeat();
    await tx.get();
    expect(tx.dataResponse?.code).toBe(250);
    const [got] = koukan.sink.messages.filter(({ rcptTo }) => rcptTo[0]?.address === 'chunks@dest.test');
    expect(got?.body.subarray(-large.length).equals(large)).toBe(true);
  });

  it('is told once and for all when a message is refused, temporarily or for good', async () => {
    for (const [rcpt, code] of [
      ['dataperm@dest.test', 550],
      ['datatemp@dest.test', 450],
    ] as const) {
      const tx = await create();
      await mailAndRcpts(tx, rcpt);
      await tx.upload(message);
      await tx.settle();
      expect(tx.dataResponse?.code).toBe(code);
      await tx.get();
      expect(tx.view.final_attempt_reason).toBeTypeOf('string');
    }
  });

  it('hears 250 of a submission that the far end defers, and the message is retried', async () => {
    const tx = await create('submission');
    await mailAndRcpts(tx, 'datatemp2@dest.test');
    await tx.upload(message);
    await tx.settle();
    expect(tx.dataResponse?.code).toBe(250);
  });

  it('lets the policies judge odd addresses instead of getting an HTTP error for them', async () => {
    const from = await create('ingress', { mail_from: { m: 'no-domain' } });
    await from.settle();
    expect(from.mailResponse).toEqual({ code: 501, message: '5.1.7 bad sender address' });
    const to = await create();
    await mailAndRcpts(to, 'neither', 'kim@dest.test');
    expect(to.rcptResponses[0]).toEqual({ code: 501, message: '5.1.3 bad recipient address' });
    expect(to.rcptResponses[1]?.code).toBe(250);
    await to.cancel();
  });

  it('waits on a hanging GET until its time is over and gets its own etag back, quotes and all', async () => {
    const tx = await create();
    await mailAndRcpts(tx, 'wait@dest.test');
    const headers = { 'if-none-match': `"${tx.etag}"`, 'request-timeout': '1' };
    const started = Date.now();
    const answer = await rawRequest('GET', tx.url, { headers });
    expect([answer.status, answer.headers.etag]).toEqual([304, `"${tx.etag}"`]);
    expect(Date.now() - started).toBeGreaterThan(900);
    const bad = await rawRequest('GET', tx.url, { headers: { 'if-none-match': '1', 'request-timeout': 'soon' } });
    expect(bad.status).toBe(400);
    await tx.cancel();
    await tx.get();
    expect([tx.view.cancelled, tx.view.final_attempt_reason]).toEqual([true, 'downstream cancelled']);
  });

  it('is refused a stale PATCH with 412, and one without If-Match with 400', async () => {
    const tx = await create();
    await tx.settle();
    const body = { rcpt_to: [{ m: 'x@dest.test' }] };
    expect((await rawRequest('PATCH', tx.url, { body, headers: { 'if-match': '999' } })).status).toBe(412);
    expect((await rawRequest('PATCH', tx.url, { body })).status).toBe(400);
    await tx.addRcpts({ m: 'x@dest.test' });
    const again = { rcpt_to: [{ m: 'y@dest.test' }], rcpt_to_list_offset: 0 };
    const offset = await rawRequest('PATCH', tx.url, { body: again, headers: { 'if-match': tx.etag } });
    expect(offset.status).toBeGreaterThanOrEqual(400);
    await tx.cancel();
  });

  it('may give everything in the create request, the message included', async () => {
    const tx = await create('ingress', {
      rcpt_to: [{ m: 'one@dest.test' }, { m: 'two@dest.test' }],
      body: { inline: message.toString() },
    });
    await tx.settle();
    expect(tx.dataResponse?.code).toBe(250);
  });

  it('is understood whatever the content type of a create request says', async () => {
    const url = `${koukan.router}/senders/ingress/transactions`;
    for (const headers of [
      {},
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/json; charset=utf-8' },
    ]) {
      const answer = await rawRequest('POST', url, { body: JSON.stringify(mailJson()), headers });
      expect([answer.status, answer.headers['content-type']]).toEqual([201, 'application/json']);
    }
    const unknown = await rawRequest('POST', `${koukan.router}/senders/nobody/transactions`, { body: mailJson() });
    expect(unknown.status).toBe(404);
    const extra = mailJson({ sender: { name: 'ingress', tag: 'smtp', output_chain: 'x' } });
    for (const body of [mailJson({ retry: {} }), mailJson({ notification: {} }), extra]) {
      expect((await rawRequest('POST', url, { body })).status).toBe(400);
    }
  });

  it('may begin with nothing and add the reverse-path later', async () => {
    const tx = await StrictTx.create(`${koukan.router}/senders/ingress/transactions`, { sender: { tag: 'smtp' } });
    await tx.patch({ mail_from: { m: 'late@far.test' } });
    await tx.get(10);
    expect(tx.mailResponse?.code).toBe(250);
    await tx.cancel();
  });
});
