/** What SMTP clients hear of a gateway that has too much to do: before they begin, never in the middle. */
import { describe, expect, it } from 'vitest';
import type { Admission, Overload } from '../../src/lib/core/admission.ts';
import { SmtpClient } from '../helpers/dialog.ts';
import { smtpService } from '../helpers/smtp-service.ts';

interface Switched extends Admission {
  overload: Overload | undefined;
  readonly refusals: string[];
}

function switched(): Switched {
  const refusals: string[] = [];
  return { overload: undefined, refusals, refused: (door, why) => refusals.push(`${door} ${why}`) };
}

async function greeted(port: number): Promise<{ client: SmtpClient; greeting: string }> {
  const client = await SmtpClient.connect(port);
  return { client, greeting: await client.line() };
}

const one = async (client: SmtpClient, line: string): Promise<string> => (await client.command(line))[0] as string;

describe('a gateway that does not keep up', () => {
  it('greets nobody new, takes no new message, and lets go on what is begun', async () => {
    const admission = switched();
    await using service = await smtpService({ admission });
    const begun = await greeted(service.port);
    const idle = await greeted(service.port);
    await one(begun.client, 'EHLO a.example');
    await one(idle.client, 'EHLO b.example');
    expect(await one(begun.client, 'MAIL FROM:<alice@example.com>')).toMatch(/^250 /);

    admission.overload = 'loop';
    expect((await greeted(service.port)).greeting).toMatch(/^421 4\.3\.2 /);
    expect(await one(idle.client, 'MAIL FROM:<bob@example.com>')).toMatch(/^451 4\.3\.2 /);
    expect(await one(begun.client, 'RCPT TO:<kim@example.com>')).toMatch(/^250 /);
    expect(await one(begun.client, 'DATA')).toMatch(/^354 /);
    await begun.client.send('subject: x\r\n\r\nhello\r\n.\r\n');
    expect((await begun.client.reply())[0]).toMatch(/^250 /);
    expect(admission.refusals).toEqual(['session loop', 'mail loop']);

    admission.overload = undefined;
    expect((await greeted(service.port)).greeting).toMatch(/^220 /);
    expect(await one(idle.client, 'MAIL FROM:<bob@example.com>')).toMatch(/^250 /);
  });

  it('counts whom it turned away for lack of places', async () => {
    const admission = switched();
    await using service = await smtpService({ admission, maxSessions: 1 });
    await greeted(service.port);
    expect((await greeted(service.port)).greeting).toMatch(/^421 4\.3\.2 /);
    expect(admission.refusals).toEqual(['session places']);
  });
});

describe('the messages of one client at the same time', () => {
  it('are not all there may be: the last places are for others', async () => {
    const admission = switched();
    await using service = await smtpService({
      admission,
      maxTransactions: 10,
      config: { proxyProtocolTimeoutMs: 10_000, maxSessionsPerHost: 100 },
    });
    const mailFrom = async (address: string): Promise<string> => {
      const client = await SmtpClient.connect(service.port);
      await client.send(`PROXY TCP4 ${address} 198.51.100.2 56324 25\r\n`);
      await client.line();
      await one(client, 'EHLO a.example');
      return (await one(client, 'MAIL FROM:<alice@example.com>')).slice(0, 9);
    };
    const flood = [];
    for (let i = 0; i < 11; i += 1) flood.push(await mailFrom('192.0.2.1'));
    expect(flood).toEqual([...Array(9).fill('250 2.1.0'), '451 4.3.2', '451 4.3.2']);
    expect(await mailFrom('192.0.2.2')).toBe('250 2.1.0');
    expect(await mailFrom('192.0.2.3')).toBe('451 4.3.2');
    expect(admission.refusals).toEqual(['mail peer', 'mail peer', 'mail places']);
  });
});
