import { afterEach, describe, expect, it } from 'vitest';
import { mailbox } from '../../../src/lib/core/mailbox.ts';
import { type Response, reply } from '../../../src/lib/core/response.ts';
import { SmtpConnection } from '../../../src/lib/smtp/client/connection.ts';
import { openConnection } from '../../../src/lib/smtp/client/open-connection.ts';
import type { ClientProfile } from '../../../src/lib/smtp/client/profile.ts';
import { type Sink, type SinkOptions, startSink } from '../../../src/lib/smtp/sink/sink.ts';
import { realClock } from '../../helpers/fake-deps.ts';
import { testCertificate } from './certificate.ts';
import { playUntil, scriptedServer } from './scripted-server.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function sinkWith(options: SinkOptions): Promise<Sink> {
  const sink = await startSink(options);
  cleanups.push(() => sink.close());
  return sink;
}

async function connect(
  to: { readonly host: string; readonly port: number },
  profile: Partial<ClientProfile> = {},
): Promise<SmtpConnection | Response> {
  const base: ClientProfile = {
    name: 't',
    protocol: 'smtp',
    ehloHost: 'c.example',
    timeoutMs: 5000,
    tls: 'opportunistic',
  };
  const opened = await openConnection({ host: to.host, port: to.port, profile: { ...base, ...profile } }, realClock);
  if (opened instanceof SmtpConnection) cleanups.push(() => opened.destroy());
  return opened;
}

describe('STARTTLS', () => {
  it('is used when it is offered, whatever the certificate, and EHLO is said again', async () => {
    const sink = await sinkWith({ tls: testCertificate });
    const connection = await connect(sink);
    expect(connection).toMatchObject({ isSecured: true, isOpen: true });
    expect((connection as SmtpConnection).capabilities.has('STARTTLS')).toBe(false);
    expect(await (connection as SmtpConnection).mail(mailbox('a@x.example'))).toMatchObject({ code: 250 });
    expect(sink.commands).toEqual(['EHLO c.example', 'STARTTLS', 'EHLO c.example', 'MAIL FROM:<a@x.example>']);
  });

  it('is given up when it is refused: the mail goes in clear over a new connection', async () => {
    const busy = reply(454, '4.7.0', 'not now');
    const sink = await sinkWith({ tls: testCertificate, reply: (stage) => (stage === 'starttls' ? busy : undefined) });
    expect(await connect(sink)).toMatchObject({ isSecured: false, isOpen: true });
    expect(sink.connections).toBe(2);
    expect(await connect(sink, { tls: 'required' })).toEqual(busy);
  });

  it('is given up once when the handshake fails', async () => {
    const target = await scriptedServer(async (peer, connection) => {
      await playUntil(peer, 'STARTTLS', '250-s.example\r\n250 STARTTLS\r\n');
      if (connection !== 1) return;
      peer.say('220 go on\r\n');
      await peer.until('\x16');
      peer.say('this is not TLS\r\n');
    });
    cleanups.push(() => target.close());
    expect(await connect(target)).toMatchObject({ isSecured: false, isOpen: true });
    expect(target.connections).toBe(2);
  });

  it('answers why when TLS is required and the handshake fails, or is not offered', async () => {
    const target = await scriptedServer(async (peer) => {
      await playUntil(peer, 'STARTTLS', '250-s.example\r\n250 STARTTLS\r\n');
      peer.say('220 go on\r\n');
      await peer.until('\x16');
      peer.socket.destroy();
    });
    cleanups.push(() => target.close());
    expect(await connect(target, { tls: 'required' })).toMatchObject({ code: 450, enhanced: '4.7.5' });
    expect(await connect(await sinkWith({}), { tls: 'required' })).toMatchObject({ code: 450, enhanced: '4.7.4' });
  });

  it('does not believe what came in clear behind its reply', async () => {
    const target = await scriptedServer(async (peer, connection) => {
      await playUntil(peer, 'STARTTLS', '250-s.example\r\n250 STARTTLS\r\n');
      if (connection === 1) peer.say('220 go on\r\n250-injected\r\n');
    });
    cleanups.push(() => target.close());
    expect(await connect(target)).toMatchObject({ isSecured: false, isOpen: true });
    expect(await connect(target, { tls: 'off' })).toMatchObject({ isSecured: false, isOpen: true });
  });

  it('checks the certificate only when that is asked for', async () => {
    const sink = await sinkWith({ tls: testCertificate });
    expect(await connect(sink, { tls: 'required' })).toMatchObject({ isSecured: true });
    const refused = await connect(sink, { tls: 'required', verify: true });
    expect(refused).toMatchObject({ code: 450, enhanced: '4.7.5' });
    expect((refused as Response).text).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');
  });
});

describe('AUTH PLAIN', () => {
  it('logs in, and answers with the refusal when it is wrong or not offered', async () => {
    const sink = await sinkWith({ auth: (user, password) => user === 'ann' && password === 'sécret' });
    expect(await connect(sink, { credentials: { user: 'ann', password: 'sécret' } })).toMatchObject({ isOpen: true });
    expect(await connect(sink, { credentials: { user: 'ann', password: 'x' } })).toMatchObject({ code: 535 });
    expect(await connect(sink, { credentials: { user: 'a\0b', password: 'x' } })).toMatchObject({ code: 501 });
    const none = await sinkWith({});
    expect(await connect(none, { credentials: { user: 'ann', password: 'x' } })).toMatchObject({ code: 503 });
  });

  it('never shows the password in a trace', async () => {
    const sink = await sinkWith({ auth: () => true });
    const lines: string[] = [];
    const trace = (direction: string, text: string): number => lines.push(`${direction} ${text}`);
    await connect(sink, { credentials: { user: 'ann', password: 'secret' }, trace });
    expect(lines).toContain('> AUTH (hidden)');
    expect(lines.join('\n')).not.toContain(Buffer.from('\0ann\0secret').toString('base64'));
  });
});
