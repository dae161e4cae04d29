import { describe, expect, it } from 'vitest';
import { SmtpClient } from '../../helpers/dialog.ts';
import { smtpService } from '../../helpers/smtp-service.ts';

const v1 = Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n');
const v2 = Buffer.from('0d0a0d0a000d0a515549540a21110010c0000201c6336402dc040019aabbccdd', 'hex');
const local = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');

describe('behind a proxy', () => {
  it.each([
    ['version 1', v1],
    ['version 2', v2],
  ])('the addresses of the header (%s) are those of the session, in any segmentation', async (_, header) => {
    await using service = await smtpService({ config: { proxyProtocolTimeoutMs: 10_000 } });
    for (const segmentBytes of [0, 1]) {
      const client = await SmtpClient.connect(service.port);
      client.segmentBytes = segmentBytes;
      await client.send(Buffer.concat([header, Buffer.from('HELO c\r\nMAIL FROM:<a@b.example>\r\n')]));
      expect([await client.line(), await client.line(), await client.line()].at(-1)).toBe('250 2.1.0 sender ok');
      const { ask } = service.hop.exchanges.at(-1) ?? {};
      expect(ask?.remoteHost).toEqual({ host: '192.0.2.1', port: 56324 });
      expect(ask?.localHost).toEqual({ host: '198.51.100.2', port: 25 });
      client.destroy();
    }
  });

  it.each([
    ['version 1, UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n')],
    ['version 2, LOCAL', local],
  ])('a header without addresses (%s) leaves those of the connection', async (_, header) => {
    await using service = await smtpService({ config: { proxyProtocolTimeoutMs: 10_000 } });
    const client = await SmtpClient.connect(service.port);
    await client.send(header);
    await client.reply();
    await client.command('HELO c');
    await client.command('MAIL FROM:<a@b.example>');
    expect(service.hop.exchanges[0]?.ask.remoteHost?.host).toBe('127.0.0.1');
    expect(service.hop.exchanges[0]?.ask.localHost).toEqual({ host: '127.0.0.1', port: service.port });
    client.destroy();
  });

  it.each(['EHLO direct.example\r\n', 'PROXY TCP4 a b c d\r\n', `PROXY ${'x'.repeat(500)}`])(
    'a client that begins with %j is dropped without a word',
    async (start) => {
      await using service = await smtpService({ config: { proxyProtocolTimeoutMs: 10_000 } });
      const client = await SmtpClient.connect(service.port);
      await client.send(start);
      await client.end();
    },
  );

  it('a client that says nothing is dropped in time', async () => {
    await using service = await smtpService({ config: { proxyProtocolTimeoutMs: 20 } });
    const client = await SmtpClient.connect(service.port);
    await client.end();
  });

  it('a header is not understood where none is expected', async () => {
    await using service = await smtpService();
    const client = await SmtpClient.connect(service.port);
    await client.reply();
    await client.send(v1);
    expect(await client.reply()).toEqual(['500 5.5.2 command not recognized']);
    client.destroy();
  });
});
