/** Our router in front of the original's gateway and of its example receiver: what it asks, and how it takes their faults. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { rawRequest } from '../http/raw-request.ts';
import { type Koukan, type KoukanOptions, startKoukan } from './koukan.ts';
import { type Json, StrictTx } from './strict-client.ts';
import { startUpstreamGateway } from './upstream-gateway.ts';
import { startUpstreamReceiver } from './upstream-receiver.ts';

const small = 'From: a@b.test\r\nSubject: x\r\n\r\nhello\r\n';
const large = `From: a@b.test\r\n\r\n${'0123456789abcdef\r\n'.repeat(20_000)}`;

async function routerBefore(url: string, options: KoukanOptions = {}): Promise<Koukan> {
  const koukan = await startKoukan({ nextHop: `${url}/senders/router/transactions`, ...options });
  onTestFinished(() => koukan.stop());
  return koukan;
}

/** Sends natively without retries, so that one attempt has to do. */
async function send(koukan: Koukan, text: string, over: Json = {}): Promise<StrictTx> {
  const tx = await StrictTx.create(`${koukan.router}/senders/app/transactions`, {
    mail_from: { m: 'a@b.test', e: [{ k: 'BODY', p: '8BITMIME' }, { k: 'SMTPUTF8' }] },
    rcpt_to: [{ m: 'c@d.test' }],
    body: { inline: text },
    sender: { tag: 'oneshot' },
    ...over,
  });
  await tx.settle();
  return tx;
}

describe('our router and the gateway of the original', () => {
  it('wait through hanging GETs that end in a 500, and send once', async () => {
    const gateway = await startUpstreamGateway({ stepMs: 700, hangMs: 150 });
    const koukan = await routerBefore(gateway.url);
    const tx = await send(koukan, small);
    expect(tx.dataResponse).toEqual({ code: 250, message: '2.0.0 queued' });
    expect(gateway.timeouts()).toBeGreaterThan(0);
    expect(gateway.delivered).toHaveLength(1);
    const [delivery] = gateway.delivered;
    expect(delivery?.bytes.toString()).toMatch(/^Received: by koukan\.example[\s\S]*\r\nFrom: a@b\.test\r\n/);
    expect(delivery?.create).toMatchObject({
      remote_host: ['127.0.0.1', koukan.sink.port],
      mail_from: { m: 'a@b.test', e: [{ k: 'BODY', p: '8BITMIME' }, { k: 'SMTPUTF8' }] },
      rcpt_to: [{ m: 'c@d.test' }],
      sender: { name: 'router', tag: 'outbound' },
    });
  });

  it('upload in chunks and go on where the gateway says it stands', async () => {
    const gateway = await startUpstreamGateway({ keepOfFirstChunk: 1000 });
    const koukan = await routerBefore(gateway.url, { restOutput: ', chunk_size: 65536' });
    const tx = await send(koukan, large);
    expect(tx.dataResponse?.code).toBe(250);
    expect(gateway.delivered[0]?.bytes.toString().endsWith(large)).toBe(true);
    expect(gateway.delivered).toHaveLength(1);
  });

  it('pass the lines of a refusal on as they came', async () => {
    const dataResponse = { code: 554, message: '5.7.1 first line\n5.7.1 second line' };
    const gateway = await startUpstreamGateway({ dataResponse });
    const tx = await send(await routerBefore(gateway.url), small);
    expect(tx.dataResponse).toEqual(dataResponse);
    await tx.untilFinal();
    expect(tx.view.final_attempt_reason).toBe('upstream response permfail');
  });

  it('give the gateway signs of life, as often as is configured, while the message is awaited', async () => {
    const gateway = await startUpstreamGateway();
    const koukan = await routerBefore(gateway.url, { handler: 'upstream_refresh: 0.2' });
    const endpoint = `${koukan.router}/senders/app/transactions`;
    await StrictTx.create(endpoint, { mail_from: { m: 'a@b.test' }, rcpt_to: [{ m: 'c@d.test' }] });
    await expect
      .poll(() => gateway.lines().filter((line) => line === 'PATCH /transactions/tx1').length, { timeout: 5000 })
      .toBeGreaterThan(1);
  });

  it('cancel what is under way when the client cancels', async () => {
    const gateway = await startUpstreamGateway();
    const koukan = await routerBefore(gateway.url);
    const endpoint = `${koukan.router}/senders/app/transactions`;
    const tx = await StrictTx.create(endpoint, { mail_from: { m: 'a@b.test' }, rcpt_to: [{ m: 'c@d.test' }] });
    await tx.settle();
    await tx.cancel();
    await tx.get();
    expect([tx.view.cancelled, tx.view.final_attempt_reason]).toEqual([true, 'downstream cancelled']);
    await expect.poll(() => gateway.lines()).toContain('POST /transactions/tx1/cancel');
    expect((await rawRequest('POST', `${koukan.router}/transactions/unknown/cancel`)).status).toBe(200);
  });
});

describe('our router and the example receiver of the original', () => {
  it.each([
    ['a small message', small, ''],
    ['a large message, although chunks are configured', large, ', chunk_size: 65536'],
  ])('deliver %s without a complaint', async (_, text, restOutput) => {
    const receiver = await startUpstreamReceiver();
    const koukan = await routerBefore(receiver.url, { restOutput });
    const tx = await send(koukan, text);
    expect(receiver.complaints).toEqual([]);
    expect(tx.dataResponse).toEqual({ code: 250, message: 'received' });
    expect(receiver.received[0]?.body.toString().endsWith(text)).toBe(true);
    expect(receiver.received).toHaveLength(1);
  });
});
