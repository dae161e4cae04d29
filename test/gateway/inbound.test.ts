import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Body } from '../../src/lib/core/body.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';
import { MemoryBudget } from '../../src/lib/spool/memory-budget.ts';
import { Slabs } from '../../src/lib/spool/slabs.ts';
import { Spool } from '../../src/lib/spool/spool.ts';
import { SpoolWriter } from '../../src/lib/spool/spool-writer.ts';
import { SmtpClient } from '../helpers/dialog.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';
import { fakeHop } from '../helpers/fake-hop.ts';
import { type SmtpService, smtpService } from '../helpers/smtp-service.ts';

const never = (): Promise<Response> => new Promise(() => undefined);

async function greeted({ port }: SmtpService): Promise<SmtpClient> {
  const client = await SmtpClient.connect(port);
  await client.reply();
  await client.command('EHLO client.example');
  return client;
}

/** Waits until a fake clock has a sleeper for what was just sent, then lets the time pass. */
async function passes(clock: FakeClock, ms: number): Promise<void> {
  while (clock.sleeping === 0) await new Promise<void>((resolve) => setImmediate(resolve));
  await clock.advance(ms);
}

/** Sends MAIL, one RCPT, DATA and a message; answers the last reply. */
async function deliver(client: SmtpClient, message = 'x\r\n'): Promise<string[]> {
  await client.command('MAIL FROM:<a@b.example>');
  await client.command('RCPT TO:<c@d.example>');
  await client.command('DATA');
  return client.command(`${message}.`);
}

describe('a gateway listener', () => {
  it('asks the next hop with all it knows of the session', async () => {
    await using service = await smtpService({
      config: { sender: 'ingress', tag: 'mx', rcptTimeoutMs: 40_000, dataTimeoutMs: 310_000 },
    });
    const client = await greeted(service);
    await client.command('MAIL FROM:<a@b.example>');
    expect(service.hop.exchanges[0]?.ask).toEqual({
      sender: 'ingress',
      tag: 'mx',
      remoteHost: { host: '127.0.0.1', port: client.socket.localPort },
      localHost: { host: '127.0.0.1', port: service.port },
      smtpMeta: { ehloHost: 'client.example', esmtp: true, tls: false, auth: false },
      rcptTimeoutMs: 40_000,
      dataTimeoutMs: 310_000,
      createAt: 'mail',
    });
    client.destroy();
  });

  it.each([
    ['what the next hop is known to take over', undefined, true, true],
    ['not what the next hop may not know', undefined, undefined, false],
    ['what the configuration says', true, false, true],
    ['not what the configuration forbids', false, true, false],
  ])('offers DSN as %s: %j, %j', async (_, dsn, offersDsn, expected) => {
    const hop = { ...fakeHop(), offersDsn };
    await using service = await smtpService({ hop, config: dsn === undefined ? {} : { dsn } });
    const client = await SmtpClient.connect(service.port);
    await client.reply();
    expect((await client.command('EHLO client.example')).includes('250-DSN')).toBe(expected);
    client.destroy();
  });

  it('opens one exchange for each message, and closes each', async () => {
    await using service = await smtpService();
    const client = await greeted(service);
    for (let i = 0; i < 3; i += 1) expect(await deliver(client)).toEqual(['250 2.0.0 message ok']);
    await client.command('QUIT');
    await client.end();
    expect(service.hop.delivered).toHaveLength(3);
    expect(service.hop.exchanges.map((exchange) => exchange.isClosed)).toEqual([true, true, true]);
  });
});

describe('waiting for the next hop', () => {
  it('ends after 10 s at MAIL, with 450', async () => {
    const clock = new FakeClock();
    await using service = await smtpService({ deps: { clock }, hop: fakeHop({ mail: never }) });
    const client = await greeted(service);
    await client.send('MAIL FROM:<a@b.example>\r\n');
    await passes(clock, 10_000);
    expect(await client.reply()).toEqual(['450 4.4.7 MAIL upstream timeout']);
    expect(await client.command('RCPT TO:<c@d.example>')).toEqual(['450 4.5.1 failed precondition: MAIL']);
    expect(await client.command('RSET')).toEqual(['250 2.0.0 ok']);
    await service.hop.exchanges[0]?.closed;
    client.destroy();
  });

  it('ends after rcpt_timeout at RCPT, with 450, for that recipient alone', async () => {
    const clock = new FakeClock();
    const hop = fakeHop({ rcpt: (to) => (to.address.startsWith('slow') ? never() : undefined) });
    await using service = await smtpService({ deps: { clock }, hop, config: { rcptTimeoutMs: 7000 } });
    const client = await greeted(service);
    await client.command('MAIL FROM:<a@b.example>');
    await client.send('RCPT TO:<slow@d.example>\r\n');
    await passes(clock, 7000);
    expect(await client.reply()).toEqual(['450 4.4.7 RCPT upstream timeout']);
    expect(await client.command('RCPT TO:<c@d.example>')).toEqual(['250 2.1.5 recipient ok']);
    client.destroy();
  });

  it('ends after data_timeout at the end of a message, never with 5xx, and cancels', async () => {
    const clock = new FakeClock();
    await using service = await smtpService({
      deps: { clock },
      hop: fakeHop({ data: never }),
      config: { dataTimeoutMs: 9000 },
    });
    const client = await greeted(service);
    await client.command('MAIL FROM:<a@b.example>');
    await client.command('RCPT TO:<c@d.example>');
    await client.command('DATA');
    await client.send('x\r\n.\r\n');
    await passes(clock, 9000);
    expect(await client.reply()).toEqual(['451 4.4.7 DATA upstream timeout']);
    await service.hop.exchanges[0]?.closed;
    client.destroy();
  });
});

describe('trouble', () => {
  it.each(['mail', 'rcpt', 'data'] as const)(
    'in the next hop at %s is 451 to the client, and told to the log only',
    async (step) => {
      const hop = fakeHop({ [step]: () => Promise.reject(new Error('secret detail')) });
      await using service = await smtpService({ hop });
      const client = await greeted(service);
      await client.send('MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n');
      const replies = [await client.line(), await client.line()];
      if (step === 'data') {
        await client.command('DATA');
        replies.push(...(await client.command('x\r\n.')));
      }
      expect(replies).toContain('451 4.3.0 internal error, try again later');
      expect(replies.join()).not.toMatch(/secret/);
      expect(
        service.log.lines.filter((line) => line.level === 'error').map((line) => String(line.fields.error)),
      ).toEqual(['Error: secret detail']);
      client.destroy();
    },
  );

  it('when an exchange cannot even be opened is 451, and the session goes on', async () => {
    const hop = fakeHop();
    await using service = await smtpService({
      hop: {
        ...hop,
        open: () => {
          throw new Error('secret detail');
        },
      },
    });
    const client = await greeted(service);
    expect(await client.command('MAIL FROM:<a@b.example>')).toEqual(['451 4.3.0 internal error, try again later']);
    expect(await client.command('NOOP')).toEqual(['250 2.0.0 ok']);
    client.destroy();
  });

  it('with the disk is temporary for a large message, and small ones still pass', async () => {
    await using service = await smtpService();
    const client = await greeted(service);
    await rm(service.spoolDirectory, { recursive: true });
    expect(await deliver(client, 'x'.repeat(70).concat('\r\n').repeat(70_000))).toEqual([
      '451 4.3.0 the message cannot be stored now, try again later',
    ]);
    expect(await deliver(client)).toEqual(['250 2.0.0 message ok']);
    client.destroy();
  });

  it('of a next hop that answers nonsense is 451', async () => {
    await using service = await smtpService({ hop: fakeHop({ data: () => ({ code: 354, text: 'go on' }) }) });
    const client = await greeted(service);
    expect(await deliver(client)).toEqual(['451 4.3.0 internal error, try again later']);
    client.destroy();
  });
});

describe('a client that goes away', () => {
  it('after the last dot and before the next hop heard of the message has not sent it', async () => {
    let finishing = (): void => undefined;
    const isFinishing = new Promise<void>((resolve) => {
      finishing = resolve;
    });
    let proceed = (): void => undefined;
    const isOver = new Promise<void>((resolve) => {
      proceed = resolve;
    });
    class SlowWriter extends SpoolWriter {
      override async finish(): Promise<Body> {
        finishing();
        await isOver;
        return super.finish();
      }
    }
    const fail = (): never => {
      throw new Error('small messages need no file');
    };
    const slow = new SlowWriter({
      maxBytes: 1000,
      unaskedBytes: 1000,
      inMemoryBytes: 1000,
      budget: new MemoryBudget(0),
      slabs: new Slabs(),
      openFile: fail,
      onCloseFailed: fail,
    });
    const spool = new Spool('unused', fakeDeps());
    spool.writer = () => slow;
    await using service = await smtpService({ spool });
    const client = await greeted(service);
    await client.send('MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx\r\n.\r\n');
    await isFinishing;
    client.destroy();
    await service.hop.exchanges[0]?.closed;
    proceed();
    await service.close();
    expect(service.hop.delivered).toEqual([]);
    expect(service.log.lines.filter((line) => line.level === 'error')).toEqual([]);
  });
});

describe('bounds', () => {
  it('refuse MAIL for now while too many transactions are open, and only then', async () => {
    await using service = await smtpService({ maxTransactions: 1 });
    const [one, two] = [await greeted(service), await greeted(service)];
    await one.command('MAIL FROM:<a@b.example>');
    expect(await two.command('MAIL FROM:<a@b.example>')).toEqual(['451 4.3.2 server busy, try again later']);
    await one.command('RSET');
    expect(await deliver(two)).toEqual(['250 2.0.0 message ok']);
    one.destroy();
    two.destroy();
  });

  it('release a spooled body when the exchange has ended, unless the next hop keeps it', async () => {
    const bodies: Body[] = [];
    let release = (): void => undefined;
    const hop = fakeHop({
      data: (body) => {
        bodies.push(body);
        if (bodies.length === 2) release = body.retain();
        return undefined;
      },
    });
    await using service = await smtpService({ hop });
    const client = await greeted(service);
    const large = 'x'.repeat(70).concat('\r\n').repeat(10_000);
    await deliver(client, large);
    await deliver(client, large);
    await client.command('NOOP');
    const [dropped, kept] = bodies;
    expect(() => dropped?.retain()).toThrow();
    for await (const chunk of kept?.chunks() ?? []) expect(chunk.length).toBeGreaterThan(0);
    release();
    client.destroy();
  });
});

describe('the log', () => {
  it('has one line for each message, with sizes and the verdict but no content and no address', async () => {
    const hop = fakeHop({
      rcpt: (to) => (to.address.startsWith('bad') ? reply(550, '5.1.1', 'no such user') : undefined),
      data: () => reply(250, '2.6.0', 'queued for c@d.example'),
    });
    await using service = await smtpService({ hop });
    const client = await greeted(service);
    await client.command('MAIL FROM:<a@b.example>');
    await client.command('RCPT TO:<bad@d.example>');
    await client.command('RCPT TO:<c@d.example>');
    await client.command('DATA');
    await client.command('Subject: private\r\n.');
    client.destroy();
    const lines = service.log.lines.filter((line) => line.level === 'info');
    expect(lines).toEqual([
      {
        level: 'info',
        text: 'mail transaction answered',
        fields: {
          session: expect.any(String),
          remoteHost: '127.0.0.1',
          sender: 'ingress',
          tag: 'mx',
          sizeBytes: 18,
          rcptsAccepted: 1,
          rcptsRefused: 1,
          code: 250,
          enhanced: '2.6.0',
          elapsedMs: expect.toSatisfy(Number.isInteger),
        },
      },
    ]);
    expect(JSON.stringify(lines)).not.toMatch(/private|@/);
  });
});
