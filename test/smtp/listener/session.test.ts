import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/lib/core/limits.ts';
import { type Response, reply } from '../../../src/lib/core/response.ts';
import { SmtpClient } from '../../helpers/dialog.ts';
import { FakeClock } from '../../helpers/fake-clock.ts';
import { fakeHop } from '../../helpers/fake-hop.ts';
import { smtpService } from '../../helpers/smtp-service.ts';

/** A client that has said HELO. */
async function greeted(port: number): Promise<SmtpClient> {
  const client = await SmtpClient.connect(port);
  await client.reply();
  await client.command('HELO client.example');
  return client;
}

/** A promise and the way to fulfil it. */
function later<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe('recipients', () => {
  it('are asked for at once and answered in order, whatever the order of the answers', async () => {
    const asked = later<void>();
    const answers = ['one', 'two', 'three'].map((name) => ({ name, ...later<Response>() }));
    let seen = 0;
    const hop = fakeHop({
      rcpt: (to) => {
        seen += 1;
        if (seen === answers.length) asked.resolve();
        return answers.find(({ name }) => to.address.startsWith(name))?.promise;
      },
    });
    await using service = await smtpService({ hop });
    const client = await greeted(service.port);
    await client.send(
      'MAIL FROM:<a@b.example>\r\nRCPT TO:<one@d.example>\r\nRCPT TO:<two@d.example>\r\nRCPT TO:<three@d.example>\r\nNOOP\r\n',
    );
    await asked.promise;
    for (const { name, resolve } of answers.toReversed()) resolve(reply(250, '2.1.5', name));
    expect([
      await client.line(),
      await client.line(),
      await client.line(),
      await client.line(),
      await client.line(),
    ]).toEqual(['250 2.1.0 sender ok', '250 2.1.5 one', '250 2.1.5 two', '250 2.1.5 three', '250 2.0.0 ok']);
    client.destroy();
  });

  it('beyond the limit are refused for now, the others stay', async () => {
    await using service = await smtpService();
    const client = await greeted(service.port);
    await client.command('MAIL FROM:<a@b.example>');
    const count = limits.rcptsPerTransaction + 2;
    await client.send(Array.from({ length: count }, (_, i) => `RCPT TO:<u${i}@d.example>\r\n`).join(''));
    const replies: string[] = [];
    for (let i = 0; i < count; i += 1) replies.push(await client.line());
    expect(replies.filter((line) => line === '250 2.1.5 recipient ok')).toHaveLength(limits.rcptsPerTransaction);
    expect(replies.slice(-2)).toEqual(['452 4.5.3 too many recipients', '452 4.5.3 too many recipients']);
    await client.command('DATA');
    expect(await client.command('x\r\n.')).toEqual(['250 2.0.0 message ok']);
    expect(service.hop.delivered[0]?.rcpts).toHaveLength(limits.rcptsPerTransaction);
    client.destroy();
  });
});

describe('command lines', () => {
  it('that are far too long are refused, and the session goes on', async () => {
    await using service = await smtpService();
    const client = await greeted(service.port);
    expect(await client.command(`NOOP ${'x'.repeat(1_000_000)}`)).toEqual(['500 5.5.2 command line too long']);
    expect(await client.command('NOOP')).toEqual(['250 2.0.0 ok']);
    client.destroy();
  });

  it('by the ten thousand are all answered', async () => {
    await using service = await smtpService();
    const client = await greeted(service.port);
    await client.send('NOOP\r\n'.repeat(10_000));
    for (let i = 0; i < 10_000; i += 1) expect(await client.line()).toBe('250 2.0.0 ok');
    client.destroy();
  });
});

describe('message data', () => {
  it('with an endless line is refused after its end', async () => {
    await using service = await smtpService();
    const client = await greeted(service.port);
    await client.command('MAIL FROM:<a@b.example>');
    await client.command('RCPT TO:<c@d.example>');
    await client.command('DATA');
    expect(await client.command(`${'x'.repeat(limits.smtpTextLineBytes + 1)}\r\n.`)).toEqual([
      '554 5.6.0 message contains a line that is too long',
    ]);
    expect(await client.command('NOOP')).toEqual(['250 2.0.0 ok']);
    expect(service.hop.delivered).toHaveLength(0);
    client.destroy();
  });

  it('arrives octet for octet when it consists of dots', async () => {
    await using service = await smtpService();
    const client = await greeted(service.port);
    await client.command('MAIL FROM:<a@b.example>');
    await client.command('RCPT TO:<c@d.example>');
    await client.command('DATA');
    const body = '.\r\n..x\r\n...\r\n'.repeat(20_000);
    expect(await client.command(`${body.replaceAll(/(^|\r\n)\./g, '$1..')}.`)).toEqual(['250 2.0.0 message ok']);
    expect(service.hop.delivered[0]?.body).toBe(body);
    client.destroy();
  });
});

/** Longer than a client of a busy machine takes for its next command. */
const IDLE_MS = 300;

describe('time and number', () => {
  it('ends a session that is idle', async () => {
    await using service = await smtpService({ idleMs: IDLE_MS });
    const client = await greeted(service.port);
    expect(await client.reply()).toEqual(['421 4.4.2 timeout, closing connection']);
    await client.end();
  });

  it('ends a session that is idle between two BDAT chunks, or inside DATA', async () => {
    await using service = await smtpService({ idleMs: IDLE_MS });
    for (const start of ['BDAT 3\r\nabc', 'BDAT 3\r\nab', 'DATA\r\nab']) {
      const client = await greeted(service.port);
      await client.command('MAIL FROM:<a@b.example>');
      await client.command('RCPT TO:<c@d.example>');
      await client.send(start);
      expect((await client.rest()).split('\r\n').at(-2)).toBe('421 4.4.2 timeout, closing connection');
    }
    expect(service.hop.exchanges.map((exchange) => exchange.isClosed)).toEqual([true, true, true]);
  });

  it.each([
    ['a command', '', 'N', 2 * limits.smtpIdleMs],
    ['a message', 'MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n', 'x', limits.smtpMessageMs],
  ])('ends a session in which %s trickles in for ever', async (_, start, byte, ms) => {
    const clock = new FakeClock();
    await using service = await smtpService({ deps: { clock } });
    const client = await greeted(service.port);
    await client.send(start);
    if (start !== '') expect([await client.line(), await client.line(), await client.line()].at(-1)).toMatch(/^354/);
    await clock.advance(ms);
    await client.send(byte);
    await clock.advance(1);
    await client.send(byte);
    expect(await client.reply()).toEqual(['421 4.4.2 timeout, closing connection']);
    await client.end();
  });

  it('does not end a session that waits for us', async () => {
    const answer = later<Response>();
    await using service = await smtpService({ idleMs: IDLE_MS, hop: fakeHop({ rcpt: () => answer.promise }) });
    const client = await greeted(service.port);
    const idle = await greeted(service.port);
    await client.send('MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n');
    expect(await client.line()).toBe('250 2.1.0 sender ok');
    // Its idle neighbour shows that the time is over.
    expect(await idle.reply()).toEqual(['421 4.4.2 timeout, closing connection']);
    answer.resolve(reply(250, '2.1.5', 'at last'));
    expect(await client.line()).toBe('250 2.1.5 at last');
    client.destroy();
  });

  it('turns away sessions beyond the limit until others have gone', async () => {
    await using service = await smtpService({ maxSessions: 2 });
    const [one, two] = [await greeted(service.port), await greeted(service.port)];
    const three = await SmtpClient.connect(service.port);
    expect(await three.reply()).toEqual(['421 4.3.2 too many connections, try again later']);
    await three.end();
    await one.command('QUIT');
    await one.end();
    expect(await (await greeted(service.port)).command('NOOP')).toEqual(['250 2.0.0 ok']);
    two.destroy();
  });
});

describe('the end of a session', () => {
  it.each(['RSET', 'HELO again', 'QUIT'])('or a %s cancels an open transaction', async (line) => {
    await using service = await smtpService();
    const client = await greeted(service.port);
    await client.command('MAIL FROM:<a@b.example>');
    await client.command('RCPT TO:<c@d.example>');
    expect(service.hop.exchanges[0]?.isClosed).toBe(false);
    await client.command(line);
    expect(service.hop.exchanges[0]?.isClosed).toBe(true);
    client.destroy();
  });

  it.each([
    'MAIL FROM:<a@b.example>\r\n',
    'MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nhalf a mess',
    'MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 5\r\nhal',
  ])('by a broken connection after %j cancels and delivers nothing', async (start) => {
    await using service = await smtpService();
    const client = await greeted(service.port);
    await client.send(start);
    expect(await client.line()).toBe('250 2.1.0 sender ok');
    client.destroy();
    await service.hop.exchanges[0]?.closed;
    expect(service.hop.delivered).toHaveLength(0);
  });

  it('by a broken connection cancels what the next hop has not answered yet', async () => {
    const asked = later<void>();
    const hop = fakeHop({
      data: () => {
        asked.resolve();
        return new Promise<Response>(() => undefined);
      },
    });
    await using service = await smtpService({ hop });
    const client = await greeted(service.port);
    await client.send('MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\r\n.\r\n');
    await asked.promise;
    client.destroy();
    await hop.exchanges[0]?.closed;
  });
});

describe('shutting down', () => {
  it('says 421 to idle sessions and accepts no more', async () => {
    await using service = await smtpService();
    const client = await greeted(service.port);
    const closing = service.close(new AbortController().signal);
    expect(await client.reply()).toEqual(['421 4.3.2 service is shutting down, closing connection']);
    await closing;
    await expect(SmtpClient.connect(service.port)).rejects.toThrow(/ECONNREFUSED/);
  });

  it('lets an open transaction end first', async () => {
    await using service = await smtpService();
    const client = await greeted(service.port);
    await client.command('MAIL FROM:<a@b.example>');
    const closing = service.close(new AbortController().signal);
    expect(await client.command('RCPT TO:<c@d.example>')).toEqual(['250 2.1.5 recipient ok']);
    await client.command('DATA');
    expect(await client.command('x\r\n.')).toEqual(['250 2.0.0 message ok']);
    expect(await client.reply()).toEqual(['421 4.3.2 service is shutting down, closing connection']);
    await closing;
    expect(service.hop.delivered).toHaveLength(1);
  });

  it('in a hurry cancels it', async () => {
    await using service = await smtpService();
    const client = await greeted(service.port);
    await client.command('MAIL FROM:<a@b.example>');
    const hurry = new AbortController();
    const closing = service.close(hurry.signal);
    expect(await client.command('NOOP')).toEqual(['250 2.0.0 ok']);
    hurry.abort();
    expect(await client.reply()).toEqual(['421 4.3.2 service is shutting down, closing connection']);
    await closing;
    expect(service.hop.exchanges[0]?.isClosed).toBe(true);
  });

  it('does not wait for a peer that never closes its side', async () => {
    await using service = await smtpService();
    const client = await greeted(service.port);
    client.socket.pause();
    await service.close(new AbortController().signal);
  });
});
