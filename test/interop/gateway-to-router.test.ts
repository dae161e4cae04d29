/** Our gateway in front of the original's router: the incremental dialect as we speak it. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { SmtpClient } from '../helpers/dialog.ts';
import { startKoukan } from './koukan.ts';
import { startUpstreamRouter } from './upstream-router.ts';

const large = `Subject: l\r\n\r\n${'0123456789abcdef\r\n'.repeat(10_000)}`;

async function smtpTo(url: string, service = ''): Promise<SmtpClient> {
  const koukan = await startKoukan({
    listenerHop: `${url}/senders/ingress/transactions`,
    listenerOutput: ', chunk_size: 65536, refresh_interval: 0.1',
    service,
  });
  onTestFinished(() => koukan.stop());
  const smtp = await SmtpClient.connect(koukan.mx);
  onTestFinished(() => smtp.destroy());
  await smtp.reply();
  await smtp.command('EHLO client.test');
  return smtp;
}

describe('our gateway and the router of the original', () => {
  it('send a message in spite of versions that move on, recipients one by one', async () => {
    const router = await startUpstreamRouter((rcpt) =>
      rcpt.startsWith('no') ? { code: 550, message: '5.1.1 mailbox does not exist' } : { code: 250, message: 'OK' },
    );
    const smtp = await smtpTo(router.url);
    expect(await smtp.command('MAIL FROM:<ann@far.test> SIZE=9')).toEqual(['250 2.0.0 MAIL ok (exploder noop)']);
    const replies: string[] = [];
    for (const rcpt of ['kim', 'no', 'lee']) replies.push(...(await smtp.command(`RCPT TO:<${rcpt}@dest.test>`)));
    expect(replies).toEqual(['250 2.0.0 OK', '550 5.1.1 mailbox does not exist', '250 2.0.0 OK']);
    await smtp.command('DATA');
    await smtp.send(`${large}.\r\n`);
    expect(await smtp.reply()).toEqual(['250-2.6.0 first', '250 2.6.0 second']);
    expect(router.stored.map(String)).toEqual([large]);
    expect(router.complaints).toEqual([]);
    expect(router.conflicts()).toBe(1);
    const create = router.asked[0]?.json as Record<string, unknown>;
    expect(create).toMatchObject({
      mail_from: { m: 'ann@far.test', e: [{ k: 'SIZE', p: '9' }] },
      smtp_meta: { ehlo_host: 'client.test', esmtp: true, tls: false, auth: null },
      sender: { name: 'ingress', tag: 'smtp' },
      remote_host: ['127.0.0.1', expect.any(Number)],
      local_host: ['127.0.0.1', expect.any(Number)],
    });
  });

  it('pipelined: recipients that come together go on together', async () => {
    const router = await startUpstreamRouter(() => ({ code: 250, message: 'OK' }));
    const smtp = await smtpTo(router.url);
    const rcpts = Array.from({ length: 20 }, (_, i) => `RCPT TO:<r${i}@dest.test>\r\n`).join('');
    await smtp.send(`MAIL FROM:<ann@far.test>\r\n${rcpts}DATA\r\n`);
    for (let i = 0; i < 21; i += 1) expect((await smtp.reply())[0]).toMatch(/^250 /);
    expect((await smtp.reply())[0]).toMatch(/^354 /);
    await smtp.send('x: y\r\n\r\n.\r\n');
    expect((await smtp.reply())[0]).toMatch(/^250/);
    expect(router.complaints).toEqual([]);
  });

  it('keep a transaction alive while the client is slow, and cancel it when the client goes away', async () => {
    const router = await startUpstreamRouter(() => ({ code: 250, message: 'OK' }));
    const smtp = await smtpTo(router.url);
    await smtp.command('MAIL FROM:<ann@far.test>');
    await smtp.command('RCPT TO:<kim@dest.test>');
    const beats = (): number =>
      router.asked.filter(({ method, body }) => method === 'PATCH' && body.length === 0).length;
    await expect.poll(beats, { timeout: 5000 }).toBeGreaterThan(1);
    await smtp.command('RSET');
    await expect.poll(() => router.lines(), { timeout: 5000 }).toContain('POST /transactions/q1/cancel');
    expect(router.complaints).toEqual([]);
  });
});
