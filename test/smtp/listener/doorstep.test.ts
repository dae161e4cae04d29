/** Who finds no session waits for one a little, is told if there is none, and costs next to nothing meanwhile. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { limits } from '../../../src/lib/core/limits.ts';
import { reply } from '../../../src/lib/core/response.ts';
import { Doorstep } from '../../../src/lib/smtp/listener/doorstep.ts';
import { SmtpClient } from '../../helpers/dialog.ts';
import { eventually, FakeClock, settle, tickUntil } from '../../helpers/fake-clock.ts';
import { fakeHop } from '../../helpers/fake-hop.ts';
import { type SmtpService, smtpService, testTls } from '../../helpers/smtp-service.ts';

/** A client that reads, and what it has heard. */
async function newcomer(service: SmtpService): Promise<{ heard: string; isOver: boolean; client: Socket }> {
  const client = connect(service.port, '127.0.0.1');
  const it = { heard: '', isOver: false, client };
  client.on('data', (text) => {
    it.heard += String(text);
  });
  client.on('close', () => {
    it.isOver = true;
  });
  onTestFinished(() => void client.destroy());
  await once(client, 'connect');
  return it;
}

describe('a listener that has no session left', () => {
  const start = async (): Promise<{ service: SmtpService; clock: FakeClock; first: SmtpClient }> => {
    const clock = new FakeClock();
    const service = await smtpService({ maxSessions: 1, deps: { clock } });
    onTestFinished(() => service.close());
    const first = await SmtpClient.connect(service.port);
    expect(await first.line()).toMatch(/^220 /);
    return { service, clock, first };
  };

  it('says so after a while, and hangs up', async () => {
    const { service, clock } = await start();
    const next = await newcomer(service);
    await eventually(() => clock.sleeping > 0);
    await clock.advance(limits.smtpRefusalMs - 1);
    await settle(20);
    expect(next.heard).toBe('');
    await clock.advance(1);
    await eventually(() => next.isOver);
    expect(next.heard).toBe('421 4.3.2 too many connections, try again later\r\n');
  });

  it('greets who waits if a session becomes free', async () => {
    const { service, clock, first } = await start();
    const next = await newcomer(service);
    await eventually(() => clock.sleeping > 0);
    await first.command('QUIT');
    await first.end();
    await settle(50);
    await clock.advance(limits.smtpRefusalMs);
    await eventually(() => next.heard !== '');
    expect(next.heard).toMatch(/^220 /);
    next.client.write('EHLO a.example\r\n');
    await eventually(() => next.heard.includes('\r\n250 '));
  });

  it('answers who waits when it closes', async () => {
    const { service, clock } = await start();
    const next = await newcomer(service);
    await eventually(() => clock.sleeping > 0);
    const closing = service.close();
    await eventually(() => next.heard !== '');
    expect(next.heard).toMatch(/^421 4\.3\.2 /);
    await clock.advance(10_000);
    await closing;
  });

  it('keeps nothing of who speaks before he is greeted: he is answered at once', async () => {
    const { service, clock } = await start();
    const next = await newcomer(service);
    await eventually(() => clock.sleeping > 0);
    next.client.write('EHLO a.example\r\n'.repeat(20_000));
    await eventually(() => next.isOver);
    expect(next.heard).toBe('421 4.3.2 too many connections, try again later\r\n');
  });

  it('hears what was said before the greeting if a session became free', async () => {
    const { service, clock, first } = await start();
    const next = await newcomer(service);
    await eventually(() => clock.sleeping > 0);
    await first.command('QUIT');
    await first.end();
    await settle(50);
    next.client.write('EHLO a.example\r\nNOOP\r\n');
    await eventually(() => next.heard.includes('\r\n250 2.0.0 '));
    expect(next.heard).toMatch(/^220 /);
  });

  it('begins no session any more when it closes, also for who only then says who he is', async () => {
    const clock = new FakeClock();
    const service = await smtpService({ deps: { clock }, config: { proxyProtocolTimeoutMs: 10_000 } });
    onTestFinished(() => service.close());
    const header = 'PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n';
    const late = await newcomer(service);
    const busy = await SmtpClient.connect(service.port);
    await busy.send(header);
    await busy.line();
    await busy.command('EHLO a.example');
    await busy.command('MAIL FROM:<alice@example.com>');
    let isClosed = false;
    void service.close(new AbortController().signal).then(() => {
      isClosed = true;
    });
    late.client.write(header);
    await eventually(() => late.heard !== '');
    expect(late.heard).toMatch(/^421 4\.3\.2 /);
    await busy.send('RSET\r\n');
    await tickUntil(clock, () => isClosed);
  });

  it('forgets who does not wait', async () => {
    const { service, clock, first } = await start();
    const next = await newcomer(service);
    await eventually(() => clock.sleeping > 0);
    next.client.resetAndDestroy();
    await clock.advance(limits.smtpRefusalMs);
    expect((await first.command('NOOP'))[0]).toMatch(/^250 /);
  });
});

describe('a listener with TLS from the first byte that has no session left', () => {
  const start = async () => {
    const clock = new FakeClock();
    const service = await smtpService({ maxSessions: 1, deps: { clock }, config: { tls: testTls, smtps: true } });
    onTestFinished(() => service.close());
    const first = await SmtpClient.connectTls(service.port);
    expect(await first.line()).toMatch(/^220 /);
    return { service, clock, first };
  };

  /** A client that begins its handshake, and how that ended. */
  async function handshake({ port }: SmtpService): Promise<{ heard: string; why: string; isSecured: boolean }> {
    const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    const it = { heard: '', why: '', isSecured: false };
    client.on('secureConnect', () => {
      it.isSecured = true;
    });
    client.on('data', (text) => {
      it.heard += String(text);
    });
    client.on('error', ({ message }) => {
      it.why = message;
    });
    onTestFinished(() => void client.destroy());
    await once(client, 'connect');
    return it;
  }

  it('says so after a while, and without a handshake', async () => {
    const { service, clock, first } = await start();
    const next = await handshake(service);
    await eventually(() => clock.sleeping > 0);
    await settle(20);
    expect(next.why).toBe('');
    await clock.advance(limits.smtpRefusalMs);
    await eventually(() => next.why !== '');
    expect(next.why).toMatch(/alert internal error/);
    expect(next.isSecured).toBe(false);
    expect((await first.command('NOOP'))[0]).toMatch(/^250 /);
  });

  it('goes on with the handshake of who waits if a session becomes free', async () => {
    const { service, clock, first } = await start();
    const next = await handshake(service);
    await eventually(() => clock.sleeping > 0);
    await first.command('QUIT');
    await first.end();
    await settle(50);
    await clock.advance(limits.smtpRefusalMs);
    await eventually(() => next.heard !== '');
    expect(next.heard).toMatch(/^220 /);
  });

  it('keeps no more of who waits than the beginning of a handshake', async () => {
    const { service, clock } = await start();
    const next = await newcomer(service);
    await eventually(() => clock.sleeping > 0);
    next.client.write(Buffer.alloc(limits.smtpTlsHelloBytes));
    await settle(20);
    expect(next.isOver).toBe(false);
    next.client.write('and more');
    await eventually(() => next.isOver);
    expect(next.heard).not.toMatch(/421/);
  });

  it('begins no handshake with who has ended his side while he waited', async () => {
    const { service, clock, first } = await start();
    const next = await newcomer(service);
    next.client.write(Buffer.from([22, 3, 1, 2, 0, 1]));
    await eventually(() => clock.sleeping > 0);
    await settle(20);
    next.client.end();
    await eventually(() => next.isOver);
    expect(next.heard).toBe('');
    await first.command('QUIT');
    await first.end();
    await settle(50);
    await clock.advance(limits.smtpRefusalMs);
    const other = await SmtpClient.connectTls(service.port);
    expect(await other.line()).toMatch(/^220 /);
    await other.command('QUIT');
    await other.end();
  });

  it('counts who is still at his handshake, and no longer when he gives up', async () => {
    const clock = new FakeClock();
    const service = await smtpService({ maxSessions: 1, deps: { clock }, config: { tls: testTls, smtps: true } });
    onTestFinished(() => service.close());
    const silent = await newcomer(service);
    await settle(20);
    const next = await handshake(service);
    await eventually(() => clock.sleeping > 0);
    expect(next.heard).toBe('');
    silent.client.destroy();
    await settle(50);
    await clock.advance(limits.smtpRefusalMs);
    await eventually(() => next.heard !== '');
    expect(next.heard).toMatch(/^220 /);
  });

  it('answers who waits when it closes', async () => {
    const { service, clock } = await start();
    const next = await handshake(service);
    await eventually(() => clock.sleeping > 0);
    const closing = service.close();
    await eventually(() => next.why !== '');
    await clock.advance(10_000);
    await closing;
  });
});

it('a message that there is no room for is refused after the same while', async () => {
  const clock = new FakeClock();
  const service = await smtpService({ maxTransactions: 0, deps: { clock } });
  onTestFinished(() => service.close());
  const client = await SmtpClient.connect(service.port);
  await client.line();
  await client.command('EHLO a.example');
  const before = clock.sleeping;
  await client.send('MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n');
  await eventually(() => clock.sleeping > before);
  await clock.advance(limits.smtpRefusalMs);
  expect([await client.line(), await client.line(), await client.line()]).toEqual([
    expect.stringMatching(/^451 4\.3\.2 /),
    expect.stringMatching(/^450 4\.5\.1 /),
    expect.stringMatching(/^450 4\.5\.1 /),
  ]);
});

describe('a next hop that has no room', () => {
  const start = async (stage: 'mail' | 'rcpt') => {
    const clock = new FakeClock();
    const noRoom = reply(451, '4.3.2', 'too much at work');
    const hop = fakeHop({ [stage]: () => noRoom });
    const service = await smtpService({ hop, deps: { clock } });
    onTestFinished(() => service.close());
    const client = await SmtpClient.connect(service.port);
    await client.line();
    await client.command('EHLO a.example');
    return { clock, client, hop, service };
  };

  it('is told of after the same while, at MAIL', async () => {
    const { clock, client } = await start('mail');
    const before = clock.sleeping;
    await client.send('MAIL FROM:<alice@example.com>\r\n');
    await eventually(() => clock.sleeping > before);
    await clock.advance(limits.smtpRefusalMs);
    expect(await client.line()).toBe('451 4.3.2 too much at work');
  });

  it('is told of after the same while, at RCPT, once for all recipients of a message', async () => {
    const { clock, client } = await start('rcpt');
    await client.command('MAIL FROM:<alice@example.com>');
    const before = clock.sleeping;
    await client.send('RCPT TO:<bob@example.com>\r\nRCPT TO:<ben@example.com>\r\n');
    await eventually(() => clock.sleeping > before);
    await clock.advance(limits.smtpRefusalMs);
    expect([await client.line(), await client.line()]).toEqual(Array(2).fill('451 4.3.2 too much at work'));
    expect(await client.command('RCPT TO:<bea@example.com>')).toEqual(['451 4.3.2 too much at work']);
  });

  it.each(['mail', 'rcpt'] as const)('does not keep a listener that has to close at once, at %s', async (stage) => {
    const { clock, client, service } = await start(stage);
    const before = clock.sleeping;
    await client.send('MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.com>\r\n');
    await eventually(() => clock.sleeping > before);
    await settle(20);
    let isClosed = false;
    void service.close().then(() => {
      isClosed = true;
    });
    await settle(20);
    await clock.advance(10_000);
    await eventually(() => isClosed);
  });

  it('leaves nothing behind of a client that does not wait', async () => {
    const { clock, client, hop } = await start('rcpt');
    await client.command('MAIL FROM:<alice@example.com>');
    const before = clock.sleeping;
    await client.send('RCPT TO:<bob@example.com>\r\n');
    await eventually(() => clock.sleeping > before);
    client.destroy();
    await eventually(() => hop.exchanges[0]?.isClosed === true);
    await clock.advance(limits.smtpRefusalMs);
    expect(clock.sleeping).toBe(0);
  });
});

it('a message that is being refused for want of room does not keep a listener that has to close at once', async () => {
  const clock = new FakeClock();
  const service = await smtpService({ maxTransactions: 0, deps: { clock } });
  const client = await SmtpClient.connect(service.port);
  await client.line();
  await client.command('EHLO a.example');
  const before = clock.sleeping;
  await client.send('MAIL FROM:<alice@example.com>\r\n');
  await eventually(() => clock.sleeping > before);
  let isClosed = false;
  void service.close().then(() => {
    isClosed = true;
  });
  await settle(20);
  await clock.advance(10_000);
  await eventually(() => isClosed);
});

describe('the last sessions', () => {
  it('are for clients that have less than their share', async () => {
    await using service = await smtpService({
      maxSessions: 10,
      deps: { clock: new FakeClock() },
      config: { proxyProtocolTimeoutMs: 10_000, maxSessionsPerHost: 100 },
    });
    const open = async (address: string): Promise<SmtpClient> => {
      const client = await SmtpClient.connect(service.port);
      await client.send(`PROXY TCP4 ${address} 198.51.100.2 56324 25\r\n`);
      return client;
    };
    for (let i = 0; i < 9; i += 1) expect(await (await open('192.0.2.1')).line()).toMatch(/^220 /);
    await open('192.0.2.1');
    expect(await (await open('192.0.2.2')).line()).toMatch(/^220 /);
  });
});

describe('a doorstep', () => {
  async function newDoorstep(max: number) {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const clock = new FakeClock();
    const doorstep = new Doorstep({ clock, waitMs: 1000, max });
    const decided: string[] = [];
    const come = async (peer: string): Promise<Socket> => {
      const accepted = once(server, 'connection');
      const client = connect((server.address() as { port: number }).port, '127.0.0.1');
      client.on('error', () => undefined);
      onTestFinished(() => void client.destroy());
      const [socket] = (await accepted) as [Socket];
      doorstep.wait(socket, peer, () => decided.push(peer));
      return client;
    };
    return { doorstep, clock, decided, come };
  }

  it('keeps so many waiting, and no more', async () => {
    const { doorstep, clock, decided, come } = await newDoorstep(2);
    for (const peer of ['a', 'b', 'c']) await come(peer);
    expect([doorstep.size, decided]).toEqual([2, ['c']]);
    await clock.advance(1000);
    expect([doorstep.size, decided]).toEqual([0, ['c', 'a', 'b']]);
  });

  it('has room for the next address however many of one are there, and again when they are gone', async () => {
    const { doorstep, clock, decided, come } = await newDoorstep(10);
    for (let i = 0; i < 12; i += 1) await come('flood');
    expect([doorstep.size, decided]).toEqual([9, ['flood', 'flood', 'flood']]);
    const modest = await come('modest');
    expect([doorstep.size, decided.length]).toEqual([10, 3]);
    modest.resetAndDestroy();
    await eventually(() => doorstep.size === 9);
    await come('modest');
    expect([doorstep.size, decided.length]).toEqual([10, 3]);
    await clock.advance(1000);
    await come('flood');
    expect([doorstep.size, decided.length]).toEqual([1, 13]);
  });
});
