import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { SmtpClient } from '../../helpers/dialog.ts';
import { smtpService, testTls } from '../../helpers/smtp-service.ts';

const authenticate = (user: string, secret: string): boolean => user === 'alice' && secret === 'sesame';
const good = `AUTH PLAIN ${Buffer.from('\0alice\0sesame').toString('base64')}`;

describe('TLS', () => {
  it('from the first byte is known to be TLS, and AUTH works in it', async () => {
    await using service = await smtpService({ config: { tls: testTls, smtps: true }, authenticate });
    const client = await SmtpClient.connectTls(service.port);
    expect(await client.reply()).toEqual(['220 mx.test ESMTP Koukan']);
    const hello = await client.command('EHLO Client.Example');
    expect(hello).toContain('250-AUTH PLAIN LOGIN');
    expect(hello).not.toContain('250-STARTTLS');
    expect(await client.command(good)).toEqual([expect.stringMatching(/^235 2\.7\.0 /)]);
    await client.command('MAIL FROM:<a@b.example>');
    expect(service.hop.exchanges[0]?.ask.smtpMeta).toEqual({
      ehloHost: 'Client.Example',
      esmtp: true,
      tls: true,
      auth: true,
    });
    client.destroy();
  });

  it('by STARTTLS is known too; AUTH is only told when it was done', async () => {
    await using service = await smtpService({ config: { tls: testTls }, authenticate });
    const client = await SmtpClient.connect(service.port);
    await client.reply();
    await client.command('EHLO one.example');
    await client.command('STARTTLS');
    await client.startTls();
    await client.command('EHLO two.example');
    await client.command('MAIL FROM:<a@b.example>');
    expect(service.hop.exchanges[0]?.ask.smtpMeta).toEqual({
      ehloHost: 'two.example',
      esmtp: true,
      tls: true,
      auth: false,
    });
    client.destroy();
  });

  it('keeps nothing that was sent in the clear behind STARTTLS, however much it is (CVE-2011-0411)', async () => {
    await using service = await smtpService({ config: { tls: testTls } });
    const client = await SmtpClient.connect(service.port);
    await client.reply();
    await client.send(`STARTTLS\r\n${'NOOP\r\n'.repeat(1000)}HELO evil.example\r\nMAIL FROM:<evil@b.example>\r\n`);
    expect(await client.reply()).toEqual(['220 2.0.0 ready to start TLS']);
    await client.startTls();
    expect(await client.command('RCPT TO:<c@d.example>')).toEqual(['503 5.5.1 send EHLO or HELO first']);
    expect(service.hop.exchanges).toEqual([]);
    client.destroy();
  });

  it('is never required', async () => {
    await using service = await smtpService({ config: { tls: testTls }, authenticate });
    const client = await SmtpClient.connect(service.port);
    await client.reply();
    await client.command('HELO one.example');
    expect(await client.command('MAIL FROM:<a@b.example>')).toEqual(['250 2.1.0 sender ok']);
    expect(service.hop.exchanges[0]?.ask.smtpMeta).toEqual({
      ehloHost: 'one.example',
      esmtp: false,
      tls: false,
      auth: false,
    });
    client.destroy();
  });

  it.each([true, false])('survives clients that fail the handshake (implicit: %s)', async (smtps) => {
    await using service = await smtpService({ config: { tls: testTls, smtps } });
    for (const garbage of ['EHLO this is not TLS\r\n', '\x16\x03\x01\x02', '']) {
      const socket = net.connect(service.port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      if (!smtps) {
        socket.write('STARTTLS\r\n');
        let said = '';
        while (!said.includes('ready to start TLS')) said += String((await once(socket, 'data'))[0]);
      }
      socket.end(garbage);
      socket.resume();
      await once(socket, 'close');
    }
    const client = smtps ? await SmtpClient.connectTls(service.port) : await SmtpClient.connect(service.port);
    expect(await client.reply()).toEqual(['220 mx.test ESMTP Koukan']);
    client.destroy();
  });

  it('does not start without its files, and says which', async () => {
    await expect(smtpService({ config: { tls: { cert: '/nowhere/x.crt', key: testTls.key } } })).rejects.toThrow(
      /cannot read \/nowhere\/x\.crt/,
    );
    await expect(smtpService({ config: { tls: { cert: testTls.key, key: testTls.key } } })).rejects.toThrow(
      /localhost\.key/,
    );
  });

  it('answers 454 when credentials cannot be checked', async () => {
    const broken = (): Promise<boolean> => Promise.reject(new Error('database password is hunter2'));
    await using service = await smtpService({ config: { tls: testTls, smtps: true }, authenticate: broken });
    const client = await SmtpClient.connectTls(service.port);
    await client.reply();
    await client.command('EHLO c.example');
    expect(await client.command(good)).toEqual(['454 4.7.0 temporary authentication failure']);
    client.destroy();
  });
});
