/** What one client may take of an SMTP listener: sessions by its address, and commands that lead to no message. */
import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/lib/core/limits.ts';
import { SmtpClient } from '../../helpers/dialog.ts';
import { type SmtpService, smtpService } from '../../helpers/smtp-service.ts';

const TOO_MANY = '421 4.7.0 too many connections from your address, try again later';

/** A session as a proxy passes it on. */
async function from(service: SmtpService, address: string): Promise<{ client: SmtpClient; greeting: string }> {
  const client = await SmtpClient.connect(service.port);
  const family = address.includes(':') ? 'TCP6' : 'TCP4';
  const ours = family === 'TCP6' ? '2001:db8::25' : '198.51.100.2';
  await client.send(`PROXY ${family} ${address} ${ours} 56324 25\r\n`);
  return { client, greeting: await client.line() };
}

const behindProxy = (more: object = {}) => smtpService({ config: { proxyProtocolTimeoutMs: 10_000, ...more } });

describe('the sessions of one address', () => {
  it('are as many as configured; the next is turned away until one has gone, and others are not concerned', async () => {
    await using service = await behindProxy({ maxSessionsPerHost: 2 });
    const one = await from(service, '192.0.2.1');
    const two = await from(service, '192.0.2.1');
    const three = await from(service, '192.0.2.1');
    expect([one, two, three].map(({ greeting }) => greeting)).toEqual([
      expect.stringMatching(/^220 /),
      expect.stringMatching(/^220 /),
      TOO_MANY,
    ]);
    await three.client.end();
    expect((await from(service, '192.0.2.2')).greeting).toMatch(/^220 /);
    await one.client.command('QUIT');
    await one.client.end();
    await expect.poll(async () => (await from(service, '192.0.2.1')).greeting).toMatch(/^220 /);
  });

  it('are those of a whole /64 of IPv6, which one customer has', async () => {
    await using service = await behindProxy({ maxSessionsPerHost: 1 });
    expect((await from(service, '2001:db8:1:2::1')).greeting).toMatch(/^220 /);
    expect((await from(service, '2001:db8:1:2:ffff::1')).greeting).toBe(TOO_MANY);
    expect((await from(service, '2001:db8:1:3::1')).greeting).toMatch(/^220 /);
  });

  it('have a bound without configuration too, but not those from this machine', async () => {
    await using service = await behindProxy();
    for (let i = 0; i < limits.smtpSessionsPerHost; i += 1) {
      expect((await from(service, '192.0.2.1')).greeting).toMatch(/^220 /);
    }
    expect((await from(service, '192.0.2.1')).greeting).toBe(TOO_MANY);
    for (let i = 0; i <= limits.smtpSessionsPerHost; i += 1) {
      expect((await from(service, '127.0.0.1')).greeting).toMatch(/^220 /);
    }
  });

  it('from this machine are bounded where that is configured', async () => {
    await using service = await smtpService({ config: { maxSessionsPerHost: 1 } });
    expect(await (await SmtpClient.connect(service.port)).line()).toMatch(/^220 /);
    expect(await (await SmtpClient.connect(service.port)).line()).toBe(TOO_MANY);
  });
});

describe('commands without a message', () => {
  const noops = (count: number): string => 'NOOP\r\n'.repeat(count);

  it('end the session when there are too many', async () => {
    await using service = await smtpService();
    const client = await SmtpClient.connect(service.port);
    await client.line();
    await client.send(noops(limits.smtpCommandsPerMessage + 1));
    for (let i = 0; i < limits.smtpCommandsPerMessage; i += 1) expect(await client.line()).toBe('250 2.0.0 ok');
    expect(await client.line()).toBe('421 4.7.0 too many commands without a message, closing connection');
    await client.end();
  });

  it('are counted afresh after each message', async () => {
    await using service = await smtpService();
    const client = await SmtpClient.connect(service.port);
    await client.line();
    const half = Math.ceil(limits.smtpCommandsPerMessage * 0.6);
    for (let round = 0; round < 2; round += 1) {
      await client.send(noops(half));
      for (let i = 0; i < half; i += 1) expect(await client.line()).toBe('250 2.0.0 ok');
      await client.command('HELO c');
      await client.command('MAIL FROM:<a@b.example>');
      await client.command('RCPT TO:<c@d.example>');
      await client.command('DATA');
      expect(await client.command('a: b\r\n\r\nc\r\n.')).toEqual([expect.stringMatching(/^250 /)]);
    }
    client.destroy();
  });
});

describe('a path', () => {
  const long = (octets: number): string => `${'a'.repeat(octets - '@b.example'.length)}@b.example`;

  it('may be as long as the limit, route and parameters not counted, and no longer', async () => {
    await using service = await smtpService();
    const client = await SmtpClient.connect(service.port);
    await client.line();
    await client.command('EHLO c');
    const refused = ['501 5.1.7 bad sender address syntax'];
    expect(await client.command(`MAIL FROM:<${long(limits.smtpPathBytes + 1)}>`)).toEqual(refused);
    const [mail] = await client.command(`MAIL FROM:<@one.example:${long(limits.smtpPathBytes)}> BODY=8BITMIME`);
    expect(mail).toMatch(/^250 /);
    const tooLong = `RCPT TO:<${long(limits.smtpPathBytes + 1)}>`;
    expect(await client.command(tooLong)).toEqual(['501 5.1.3 bad recipient address syntax']);
    const [rcpt] = await client.command(`RCPT TO:<${long(limits.smtpPathBytes)}>`);
    expect(rcpt).toMatch(/^250 /);
    client.destroy();
  });

  it('is counted in octets, not in characters', async () => {
    await using service = await smtpService();
    const client = await SmtpClient.connect(service.port);
    await client.line();
    await client.command('EHLO c');
    const path = (count: number): string => `<${'я'.repeat(count)}@b.example>`;
    expect(await client.command(`MAIL FROM:${path(508)} SMTPUTF8`)).toEqual(['501 5.1.7 bad sender address syntax']);
    const [mail] = await client.command(`MAIL FROM:${path(507)} SMTPUTF8`);
    expect(mail).toMatch(/^250 /);
    client.destroy();
  });
});
