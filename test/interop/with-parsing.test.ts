/** Our router with `receive_parsing` and `send_filter_output`, in front of the original's example receiver, of our own, and of our gateway. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ReceivedMessage } from '../../src/lib/receiver/received-message.ts';
import { createReceiver } from '../../src/lib/receiver/receiver.ts';
import { memoryLog, realClock, seededRng } from '../helpers/fake-deps.ts';
import { type Koukan, type KoukanOptions, startKoukan } from './koukan.ts';
import { type Json, StrictTx } from './strict-client.ts';
import { startUpstreamReceiver } from './upstream-receiver.ts';

const VALIDATION = 'koukan.message_validation_filter.MessageValidationFilter';
const png = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7) % 256));

const header = (subject: string, type: string): string =>
  `From: Ann <ann@far.test>\r\nTo: kim@dest.test\r\nSubject: ${subject}\r\nMIME-Version: 1.0\r\nContent-Type: ${type}\r\n\r\n`;
const part = (type: string, content: string, more = ''): string =>
  `--x\r\nContent-Type: ${type}\r\n${more}\r\n${content}\r\n`;
const base64 = png.toString('base64').replace(/.{76}/g, '$&\r\n');

const messages = {
  plain: `${header('plain', 'text/plain; charset=utf-8')}grüße\r\n`,
  attached: `${header('attached', 'multipart/mixed; boundary=x')}${part('text/plain', 'see below')}${part(
    'image/png',
    base64,
    'Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.png\r\n',
  )}--x--\r\n`,
  report: `${header('report', 'multipart/report; report-type=delivery-status; boundary=x')}${part(
    'text/plain',
    'it failed',
  )}${part('message/delivery-status', 'Reporting-MTA: dns; mx.far.test\r\n\r\nFinal-Recipient: rfc822; a@b.test\r\nAction: failed\r\n')}${part(
    'text/rfc822-headers',
    'Subject: the original\r\nFrom: kim@dest.test\r\n',
  )}--x--\r\n`,
  forwarded: `${header('forwarded', 'multipart/mixed; boundary=x')}${part('text/plain', 'fyi')}${part(
    'message/rfc822',
    'Subject: inner\r\n\r\nthe inner text\r\n',
  )}--x--\r\n`,
  empty: `${header('empty', 'multipart/mixed; boundary=x')}${part('text/plain', '')}${part(
    'application/octet-stream',
    '',
    'Content-Disposition: attachment; filename=nothing\r\n',
  )}--x--\r\n`,
};

async function routerBefore(nextHop: string | undefined, options: KoukanOptions = {}): Promise<Koukan> {
  const koukan = await startKoukan({
    ...(nextHop !== undefined && { nextHop }),
    filters: '- {filter: message_validation}\n  - {filter: message_parser}',
    routeOptions: '{receive_parsing: {max_inline: 100}, send_filter_output: true}',
    restOutput: ', chunk_size: 65536',
    ...options,
  });
  onTestFinished(() => koukan.stop());
  return koukan;
}

/** Sends without retries, so that one attempt has to do. */
async function send(koukan: Koukan, text: string): Promise<StrictTx> {
  const tx = await StrictTx.create(`${koukan.router}/senders/app/transactions`, {
    mail_from: { m: 'ann@far.test' },
    rcpt_to: [{ m: 'kim@dest.test' }],
    body: { inline: text },
    sender: { tag: 'oneshot' },
  });
  await tx.settle();
  return tx;
}

describe('our router, parsing, and the example receiver of the original', () => {
  it.each(Object.entries(messages))('deliver a message that is %s without a complaint', async (subject, text) => {
    const receiver = await startUpstreamReceiver();
    const tx = await send(await routerBefore(`${receiver.url}/senders/router/transactions`), text);
    expect(receiver.complaints).toEqual([]);
    expect(tx.dataResponse).toEqual({ code: 250, message: 'received' });
    expect(receiver.received).toHaveLength(1);
    const [got] = receiver.received;
    expect(got?.body.toString().endsWith(text)).toBe(true);
    const { headers } = (got?.parsed?.parts ?? {}) as { headers?: [string, unknown][] };
    expect(headers).toContainEqual(['subject', subject]);
    expect(got?.filterOutput).toHaveProperty([VALIDATION]);
    if (subject === 'attached') expect(Object.values(got?.blobs ?? {}).some((blob) => blob.equals(png))).toBe(true);
  });
});

describe('our router, parsing, and our receiver', () => {
  it.each(Object.entries(messages))('deliver a message that is %s', async (subject, text) => {
    const dir = await mkdtemp(join(tmpdir(), 'koukan-receiver-'));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const messagesSeen: ReceivedMessage[] = [];
    const onMessage = (message: ReceivedMessage): void => void messagesSeen.push(message);
    const deps = { clock: realClock, rng: seededRng(1), log: memoryLog() };
    const receiver = await createReceiver({ dir, port: 0, onMessage }, deps);
    onTestFinished(() => receiver.close(AbortSignal.abort()));
    const tx = await send(await routerBefore(receiver.url), text);
    expect(tx.dataResponse).toEqual({ code: 250, message: '2.0.0 ok' });
    await expect.poll(() => messagesSeen).toHaveLength(1);
    const [got] = messagesSeen;
    expect((await readFile(got?.file ?? '', 'utf8')).endsWith(text)).toBe(true);
    const parsed = JSON.parse(await readFile(got?.parsedFile ?? '', 'utf8')) as { parts: { headers: Json[] } };
    expect(parsed.parts.headers).toContainEqual(['subject', subject]);
    expect(got?.filterOutput).toHaveProperty([VALIDATION]);
    if (subject !== 'attached') return;
    const bytes = await Promise.all(Object.values(got?.parts ?? {}).map((path) => readFile(path)));
    expect(bytes.some((each) => each.equals(png))).toBe(true);
  });
});

describe.each(['call', 'http'] as const)('our router, parsing, and our gateway, joined by %s', (joined) => {
  it('deliver the message and leave out what a gateway has no use for', async () => {
    const koukan = await routerBefore(undefined, { join: joined });
    const tx = await send(koukan, messages.attached);
    expect(tx.dataResponse?.code).toBe(250);
    expect(koukan.sink.messages[0]?.body.toString().endsWith(messages.attached)).toBe(true);
  });
});
