/** From an SMTP client through gateway, router and gateway to an SMTP destination: what of a session must arrive, joined by calls and by HTTP. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import { SmtpClient } from '../helpers/dialog.ts';
import { testTls } from '../helpers/smtp-service.ts';
import { type Koukan, type KoukanOptions, startKoukan } from './koukan.ts';

const tls = `, cert: '${testTls.cert}', key: '${testTls.key}'`;

describe.each(['call', 'http'] as const)('a message on its whole way, halves joined by %s', (joined) => {
  async function koukan(options: KoukanOptions = {}): Promise<Koukan> {
    const started = await startKoukan({ join: joined, ...options });
    onTestFinished(() => started.stop());
    return started;
  }

  async function client(port: number, hello = 'EHLO client.test'): Promise<SmtpClient> {
    const smtp = await SmtpClient.connect(port);
    onTestFinished(() => smtp.destroy());
    await smtp.reply();
    await smtp.command(hello);
    return smtp;
  }

  /** Answers the replies to MAIL, each RCPT and the message. */
  async function submit(smtp: SmtpClient, mail: string, rcpts: readonly string[], text: string): Promise<string[][]> {
    const replies = [await smtp.command(`MAIL FROM:${mail}`)];
    for (const rcpt of rcpts) replies.push(await smtp.command(`RCPT TO:${rcpt}`));
    expect((await smtp.command('DATA'))[0]).toMatch(/^354 /);
    await smtp.send(`${text}.\r\n`);
    return [...replies, await smtp.reply()];
  }

  it('keeps its parameters, and SIZE is that of what is sent', async () => {
    const { mx, sink } = await koukan();
    const smtp = await client(mx);
    const text = 'Subject: p\r\n\r\ngrüße\r\n';
    const replies = await submit(smtp, '<jürgen@far.test> SIZE=40 BODY=8BITMIME SMTPUTF8', ['<kim@dest.test>'], text);
    expect(replies.at(-1)?.[0]).toMatch(/^250 /);
    const [got] = sink.messages;
    const params = Object.fromEntries(got?.mailFrom.params.map(({ keyword, value }) => [keyword, value]) ?? []);
    expect(got?.mailFrom.address).toBe('jürgen@far.test');
    expect(Object.keys(params)).toEqual(expect.arrayContaining(['BODY', 'SMTPUTF8']));
    if (params.SIZE !== undefined) expect(Number(params.SIZE)).toBe(got?.body.length);
    expect(got?.body.toString()).toMatch(/with UTF8SMTP\r\n\tfor kim@dest\.test;[\s\S]*grüße\r\n$/);
  });

  it('is HELO without extensions where the client is', async () => {
    const { mx, sink } = await koukan();
    const replies = await submit(
      await client(mx, 'HELO old.test'),
      '<a@far.test>',
      ['<kim@dest.test>'],
      'x: y\r\n\r\n',
    );
    expect(replies.at(-1)?.[0]).toMatch(/^250 /);
    expect(sink.messages[0]?.body.toString()).toMatch(/^Received: from old\.test[\s\S]*with SMTP\r\n/);
  });

  it('brings refusals of several lines back as several lines', async () => {
    const { mx } = await koukan({
      sink: {
        reply: (stage, address) => {
          if (stage === 'rcpt' && address.startsWith('no')) return reply(550, '5.1.1', 'nobody\nby this name');
          return stage === 'dot' ? reply(554, '5.7.1', 'we read it\nwe want it not') : undefined;
        },
      },
    });
    const replies = await submit(
      await client(mx),
      '<a@far.test>',
      ['<no@dest.test>', '<kim@dest.test>'],
      'x: y\r\n\r\n',
    );
    expect(replies[1]).toEqual(['550-5.1.1 nobody', '550 5.1.1 by this name']);
    expect(replies[2]?.[0]).toMatch(/^250 /);
    expect(replies[3]).toEqual(['554-5.7.1 we read it', '554 5.7.1 we want it not']);
  });

  it('comes in and goes out in chunks of BDAT', async () => {
    const { mx, sink } = await koukan({ profile: ', enable_bdat: true, chunk_size: 1000' });
    const smtp = await client(mx);
    await smtp.command('MAIL FROM:<a@far.test>');
    await smtp.command('RCPT TO:<kim@dest.test>');
    const [first, second] = [`Subject: b\r\n\r\n${'.line\r\n'.repeat(500)}`, 'end\r\n.\r\nmore\r\n'];
    await smtp.send(`BDAT ${first.length}\r\n${first}`);
    expect((await smtp.reply())[0]).toMatch(/^250 /);
    await smtp.send(`BDAT ${second.length} LAST\r\n${second}`);
    expect((await smtp.reply())[0]).toMatch(/^250 /);
    expect(sink.messages[0]?.bdat).toBe(true);
    expect(sink.messages[0]?.body.toString().endsWith(first + second)).toBe(true);
  });

  it('goes out by LMTP, one recipient at a time, each with its own answer', async () => {
    const { mx, sink } = await koukan({ sink: { lmtp: true }, profile: ', protocol: lmtp' });
    const rcpts = ['<kim@dest.test>', '<lee@dest.test>'];
    const replies = await submit(await client(mx), '<a@far.test>', rcpts, 'x: y\r\n\r\n');
    expect(replies.map(([line]) => line?.slice(0, 3))).toEqual(['250', '250', '250', '250']);
    expect(sink.messages.map(({ rcptTo }) => rcptTo.length)).toEqual([1, 1]);
    expect(sink.commands.some((line) => line.startsWith('LHLO koukan.example'))).toBe(true);
    const refused = await submit(await client(mx), '<a@far.test>', ['<dataperm@dest.test>'], 'x: y\r\n\r\n');
    expect(refused.at(-1)?.[0]).toMatch(/^550 /);
  });

  it('is 451 at its end when the router takes longer than its rest_output allows, not longer than the listener', async () => {
    const { mx } = await koukan({ listenerOutput: ', data_timeout: 1' });
    const replies = await submit(await client(mx), '<a@far.test>', ['<datatimeout@dest.test>'], 'x: y\r\n\r\n');
    expect(replies.at(-1)?.[0]).toMatch(/^45\d 4\.4\.7 /);
  });

  it('names the client that a proxy speaks for', async () => {
    const { mx, sink } = await koukan({ service: ', proxy_protocol_timeout: 5' });
    const smtp = await SmtpClient.connect(mx);
    onTestFinished(() => smtp.destroy());
    await smtp.send('PROXY TCP4 192.0.2.9 198.51.100.2 56324 25\r\n');
    await smtp.reply();
    await smtp.command('EHLO behind.test');
    await submit(smtp, '<a@far.test>', ['<kim@dest.test>'], 'x: y\r\n\r\n');
    expect(sink.messages[0]?.body.toString()).toMatch(/^Received: from behind\.test \(\[192\.0\.2\.9\]\)/);
  });

  it('says ESMTPSA of a client that authenticated over implicit TLS, ESMTPS of one that did not', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'koukan-interop-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const secrets = join(folder, 'secrets.json');
    await writeFile(secrets, JSON.stringify({ ann: createHash('sha256').update('s3cret').digest('hex') }));
    const { mx, sink } = await koukan({ service: `${tls}, smtps: true, auth_secrets: '${secrets}'` });
    for (const auth of [true, false]) {
      const smtp = await SmtpClient.connectTls(mx);
      onTestFinished(() => smtp.destroy());
      await smtp.reply();
      expect(await smtp.command('EHLO client.test')).toContain('250-AUTH PLAIN LOGIN');
      const plain = (secret: string): string => `AUTH PLAIN ${Buffer.from(`\0ann\0${secret}`).toString('base64')}`;
      expect((await smtp.command(plain('wrong')))[0]).toMatch(/^535 /);
      if (auth) expect((await smtp.command(plain('s3cret')))[0]).toMatch(/^235 2\.7\.0/);
      await submit(smtp, '<a@far.test>', ['<kim@dest.test>'], 'x: y\r\n\r\n');
    }
    const with_ = sink.messages.map(({ body }) => /with (\S+)/.exec(body.toString())?.[1]);
    expect(with_).toEqual(['ESMTPSA', 'ESMTPS']);
  });

  it('is one message for each accepted recipient, and a bounce for the one that failed late', async () => {
    const { mx, sink } = await koukan();
    const rcpts = ['<kim@dest.test>', '<dataperm@dest.test>', '<rcptperm@dest.test>'];
    const replies = await submit(await client(mx), '<a@far.test>', rcpts, 'Subject: m\r\nMessage-ID: <1@x>\r\n\r\n');
    expect(replies.map(([line]) => line?.slice(0, 3))).toEqual(['250', '250', '250', '550', '250']);
    await sink.received(2);
    const bounce = sink.messages.find(({ mailFrom }) => mailFrom.address === '');
    expect(bounce?.rcptTo[0]?.address).toBe('a@far.test');
    const text = bounce?.body.toString() ?? '';
    expect(text).toContain('report-type=delivery-status');
    expect(text).toContain('Auto-Submitted: auto-replied\r\n');
    expect(text).toContain('In-Reply-To: <1@x>\r\n');
    expect(text).toMatch(/Final-Recipient: rfc822; dataperm@dest\.test\r\nAction: failed\r\nStatus: 5\.2\.0\r\n/);
    expect(text).toContain('Diagnostic-Code: smtp; 550 5.2.0 data perm\r\n');
    expect(text).not.toContain('-0000');
  });
});
