/** The original's router in front of our receiver, with parsing and without: what it demands of each answer, and what is stored. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createReceiver, type Receiver } from '../../src/lib/receiver/receiver.ts';
import { memoryLog, realClock, seededRng } from '../helpers/fake-deps.ts';
import { type Json, StrictTx } from './strict-client.ts';

const message = Buffer.from('From: ann@far.test\r\nSubject: hi\r\n\r\nhello\r\n');
const large = Buffer.alloc(300_000, 'part ');
const VALIDATION = 'koukan.message_validation_filter.MessageValidationFilter';
let dir: string;
let receiver: Receiver;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'koukan-receiver-'));
  receiver = await createReceiver({ dir, port: 0 }, { clock: realClock, rng: seededRng(1), log: memoryLog() });
});
afterEach(async () => {
  await receiver.close();
  await rm(dir, { recursive: true, force: true });
});

function create(over: Json = {}): Promise<StrictTx> {
  return StrictTx.create(receiver.url, {
    remote_host: ['198.51.100.7', 40_022],
    local_host: ['192.0.2.25', 25],
    mail_from: { m: 'ann@far.test' },
    rcpt_to: [{ m: 'app@dest.test' }],
    smtp_meta: { ehlo_host: 'mail.far.test', esmtp: true, tls: true, auth: null },
    sender: { name: 'router' },
    filter_output: { 'koukan.remote_host_filter.RemoteHostFilter': { status: 0 } },
    ...over,
  });
}

const stored = (tx: StrictTx, suffix: string): Promise<Buffer> =>
  readFile(join(dir, `${tx.url.split('/').at(-1)}.${suffix}`));

describe('the router of the original, with our receiver', () => {
  it('hands over what it has found out, the parsed message, its parts and the message', async () => {
    const report = { headers: [['subject', 'hi']], content_type: 'text/plain' };
    const parsed = {
      parts: {
        headers: [['content-type', ['multipart/mixed', { boundary: 'x' }]]],
        content_type: 'multipart/mixed',
        parts: [
          { headers: [], content_type: 'text/plain', content: { inline: 'hello' } },
          { headers: [], content_type: 'text/plain', content: { inline: '' } },
          { headers: [], content_type: 'text/rfc822-headers', parts: [report] },
          { headers: [], content_type: 'message/rfc822', parts: [{ headers: [], parts: [report] }] },
          { headers: [], content_type: 'image/png', content: { create_id: '0' } },
          { headers: [], content_type: 'text/plain', content: { create_id: '1' } },
        ],
      },
      text_body: [{ content_type: 'text/plain', content: { inline: 'hello' } }],
      file_attachments: [
        { content_type: 'message/rfc822' },
        { content_type: 'image/png', content: { create_id: '0' } },
      ],
    };
    const tx = await create();
    await tx.settle();
    expect([tx.mailResponse?.code, tx.rcptResponses[0]?.code]).toEqual([250, 250]);
    await tx.patch({ filter_output: { [VALIDATION]: { status: 3 } } });
    await tx.build(parsed);
    await tx.uploadPart('0', large);
    await tx.heartbeat();
    await tx.uploadPart('1', Buffer.alloc(0));
    await tx.upload(message);
    await tx.settle();
    expect(tx.dataResponse).toEqual({ code: 250, message: '2.0.0 ok' });
    expect((await stored(tx, 'msg')).equals(message)).toBe(true);
    expect((await stored(tx, '0')).equals(large)).toBe(true);
    expect((await stored(tx, '1')).length).toBe(0);
    expect(JSON.parse((await stored(tx, 'msg.json')).toString())).toEqual(parsed);
    const envelope = JSON.parse((await stored(tx, 'tx.json')).toString()) as Json;
    expect(Object.keys(envelope.filter_output as Json)).toEqual([
      'koukan.remote_host_filter.RemoteHostFilter',
      VALIDATION,
    ]);
    expect(envelope.smtp_meta).toMatchObject({ ehlo_host: 'mail.far.test' });
    expect(await readdir(dir)).toHaveLength(5);
  });

  it('sends a message that nobody parsed, whole or in ranges', async () => {
    for (const chunk of [Number.POSITIVE_INFINITY, 10]) {
      const tx = await create();
      await tx.settle();
      await tx.upload(message, chunk);
      await tx.settle();
      expect(tx.dataResponse?.code).toBe(250);
      expect((await stored(tx, 'msg')).equals(message)).toBe(true);
    }
  });

  it('sends to several recipients at once', async () => {
    const tx = await create({ rcpt_to: [{ m: 'a@dest.test' }, { m: 'b@dest.test' }] });
    await tx.settle();
    await tx.addRcpts({ m: 'c@dest.test' });
    await tx.settle();
    expect(tx.rcptResponses).toHaveLength(3);
    await tx.upload(message);
    await tx.settle();
    expect(tx.dataResponse?.code).toBe(250);
    const envelope = JSON.parse((await stored(tx, 'tx.json')).toString()) as Json;
    expect(envelope.rcpt_to).toEqual([{ m: 'a@dest.test' }, { m: 'b@dest.test' }, { m: 'c@dest.test' }]);
  });

  it('gives up half way, and nothing is left', async () => {
    const tx = await create();
    await tx.build({ parts: { headers: [], content_type: 'image/png', content: { create_id: '0' } } });
    await tx.uploadPart('0', large);
    await tx.cancel();
    await tx.get();
    expect(tx.view.cancelled).toBe(true);
    expect(await readdir(dir)).toEqual([]);
  });
});
