import { afterEach, describe, expect, it } from 'vitest';
import type { SmtpOutputConfig } from '../../src/lib/config/gateway-config.ts';
import { memoryBody } from '../../src/lib/core/body.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { formatResponse, type Response, reply, responseFromText } from '../../src/lib/core/response.ts';
import { createSmtpOutput } from '../../src/lib/outputs/smtp.ts';
import { SmtpPool } from '../../src/lib/smtp/client/pool.ts';
import { type Sink, type SinkOptions, startSink } from '../../src/lib/smtp/sink/sink.ts';
import { settle } from '../helpers/fake-clock.ts';
import { memoryLog, realClock } from '../helpers/fake-deps.ts';
import { type ScriptedServer, scriptedServer } from '../smtp/client/scripted-server.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const CONFIG: SmtpOutputConfig = {
  tag: 'out',
  ehloHost: 'client.example',
  timeoutMs: 5000,
  protocol: 'smtp',
  enableBdat: false,
  chunkSize: 1000,
  maxConnectionsPerHost: 4,
  idleTimeoutMs: 60_000,
};

async function sinkWith(options: SinkOptions = {}): Promise<Sink> {
  const sink = await startSink(options);
  cleanups.push(() => sink.close());
  return sink;
}

function makePool(): SmtpPool {
  const pool = new SmtpPool({ deps: { clock: realClock, log: memoryLog() } });
  cleanups.push(() => pool.close(AbortSignal.abort()));
  return pool;
}

function exchangeTo(sink: Sink, overrides: Partial<SmtpOutputConfig> = {}, pool = makePool()): Exchange {
  const output = createSmtpOutput({ ...CONFIG, ...overrides }, pool, { log: memoryLog() });
  const exchange = output.open({ remoteHost: { host: sink.host, port: sink.port } });
  cleanups.push(() => exchange.close());
  return exchange;
}

const BODY = memoryBody(Buffer.from('Subject: hello\r\n\r\n.dot\r\nhello\r\n'));
const FROM = mailbox('a@client.example');

/** Asks for everything at once, as a chain does, and answers with all replies. */
async function deliver(exchange: Exchange, rcpts: readonly string[], body = BODY, from = FROM): Promise<Response[]> {
  const envelope = [exchange.mail(from), ...rcpts.map((rcpt) => exchange.rcpt(mailbox(rcpt)))];
  const replies = await Promise.all(envelope);
  return [...replies, await exchange.data(body)];
}

describe('the SMTP output', () => {
  it('delivers a message and returns what the destination said, word for word', async () => {
    const dot = responseFromText(250, '2.0.0 queued as 42\nand thanks');
    const sink = await sinkWith({ reply: (stage) => (stage === 'dot' ? dot : undefined) });
    const replies = await deliver(exchangeTo(sink), ['b@sink.example']);
    expect(replies.map((r) => r.code)).toEqual([250, 250, 250]);
    expect(replies[2]).toEqual({ ...dot, source: { mta: '[127.0.0.1]', handover: 'passed' } });
    expect(sink.messages[0]).toMatchObject({
      mailFrom: { address: 'a@client.example' },
      rcptTo: [{ address: 'b@sink.example' }],
      hello: 'client.example',
      body: BODY.inMemory,
    });
  });

  it('goes on with the recipients that were accepted', async () => {
    const sink = await sinkWith();
    const replies = await deliver(exchangeTo(sink), ['b@x.example', 'rcptperm@x.example', 'c@x.example']);
    expect(replies.map((r) => r.code)).toEqual([250, 250, 550, 250, 250]);
    expect(sink.messages[0]?.rcptTo.map((to) => to.address)).toEqual(['b@x.example', 'c@x.example']);
  });

  it('sends no DATA when no recipient is good, and keeps the class of the refusals', async () => {
    const sink = await sinkWith();
    const pool = makePool();
    const permanent = await deliver(exchangeTo(sink, {}, pool), ['rcptperm@x.example']);
    expect(permanent[2]).toEqual(reply(554, '5.5.1', 'no valid recipients'));
    const temporary = await deliver(exchangeTo(sink, {}, pool), ['rcptperm@x.example', 'rcpttemp@x.example']);
    expect(temporary[3]?.code).toBe(450);
    expect(sink.commands).not.toContain('DATA');
  });

  it('keeps the class of a refused MAIL in what follows', async () => {
    const refuse = (answer: Response) => (stage: string) => (stage === 'mail' ? answer : undefined);
    const later = await sinkWith({ reply: refuse(reply(451, '4.7.1', 'greylisted')) });
    expect((await deliver(exchangeTo(later), ['b@x.example'])).map((r) => r.code)).toEqual([451, 450, 450]);
    const never = await sinkWith({ reply: refuse(reply(550, '5.7.1', 'no')) });
    expect((await deliver(exchangeTo(never), ['b@x.example'])).map((r) => r.code)).toEqual([550, 503, 503]);
    const plain = await sinkWith({ reply: refuse(reply(550, '5.7.1', 'no')), extensions: [] });
    expect((await deliver(exchangeTo(plain), ['b@x.example'])).map((r) => r.code)).toEqual([550, 503, 503]);
    expect(plain.commands.filter((line) => line.startsWith('RCPT'))).toEqual([]);
  });

  it('answers 4xx when there is no destination, or none that answers', async () => {
    const output = createSmtpOutput(CONFIG, makePool(), { log: memoryLog() });
    const nowhere = await startSink();
    await nowhere.close();
    const origins = [
      {},
      { remoteHost: { host: 'mx.example', port: 25 } },
      { remoteHost: { host: '127.0.0.1', port: 0 } },
    ];
    for (const origin of origins) {
      const replies = await deliver(output.open(origin), ['b@x.example']);
      expect(replies.map((r) => r.code)).toEqual([450, 450, 450]);
      expect(replies[0]?.enhanced).toBe('4.3.5');
    }
    const sink = await startSink();
    const { host, port } = sink;
    await sink.close();
    const refused = await deliver(output.open({ remoteHost: { host, port } }), ['b@x.example']);
    expect(refused.map((r) => r.code)).toEqual([450, 450, 450]);
    expect(formatResponse(refused[0] as Response)).toContain('450 4.4.1 connect error ECONNREFUSED');
  });

  it('uses the connection for the next message, also when the last one was not delivered', async () => {
    const sink = await sinkWith();
    const pool = makePool();
    for (const rcpt of ['b@x.example', 'rcptperm@x.example', 'dataperm@x.example', 'c@x.example']) {
      const exchange = exchangeTo(sink, { maxConnectionsPerHost: 1 }, pool);
      await deliver(exchange, [rcpt]);
      await exchange.close();
    }
    expect(sink.connections).toBe(1);
    expect(sink.messages.map((m) => m.rcptTo[0]?.address)).toEqual(['b@x.example', 'c@x.example']);
  });

  it('tries once more on a new connection when an idle one turns out to be stale, and loses no recipient', async () => {
    const stale = [reply(421, '4.4.2', 'idle for too long'), 'drop'] as const;
    for (const answer of stale) {
      let mails = 0;
      const sink = await sinkWith({
        reply: (stage) => {
          if (stage === 'mail') mails += 1;
          return stage === 'mail' && mails === 2 ? answer : undefined;
        },
      });
      const pool = makePool();
      await deliver(exchangeTo(sink, {}, pool), ['b@x.example']);
      const replies = await deliver(exchangeTo(sink, {}, pool), ['c@x.example', 'd@x.example', 'rcptperm@x.example']);
      expect(replies.map((r) => r.code)).toEqual([250, 250, 250, 550, 250]);
      expect(sink.connections).toBe(2);
      expect(sink.messages.at(-1)?.rcptTo.map((to) => to.address)).toEqual(['c@x.example', 'd@x.example']);
    }
  });

  it('never sends anything twice once MAIL was accepted, or on a new connection', async () => {
    const stages = ['mail', 'rcpt', 'data', 'dot'] as const;
    for (const broken of stages) {
      const sink = await sinkWith({ reply: (stage) => (stage === broken ? 'drop' : undefined) });
      const replies = await deliver(exchangeTo(sink), ['b@x.example']);
      expect(replies.at(-1)?.code).toBe(450);
      expect(sink.connections).toBe(1);
      expect(sink.messages).toEqual([]);
      if (broken === 'dot') expect(replies.at(-1)?.text).toContain('the message may have been delivered');
    }
  });

  it.each([['rcpttimeout@x.example'], ['datatimeout@x.example']])(
    'ends the session at once when it is closed while %s keeps silent',
    async (rcpt) => {
      const sink = await sinkWith();
      const pool = makePool();
      const exchange = exchangeTo(sink, {}, pool);
      const pending = deliver(exchange, [rcpt]);
      await until(() => sink.commands.includes(rcpt.startsWith('data') ? 'DATA' : `RCPT TO:<${rcpt}>`));
      await exchange.close();
      await exchange.close();
      expect((await pending).at(-1)).toMatchObject({ code: 450 });
      await until(() => sink.open === 0);
      expect(pool.stats.connections).toBe(0);
    },
  );

  it('is not held up by another exchange whose peer keeps silent', async () => {
    const sink = await sinkWith();
    const pool = makePool();
    const stuck = deliver(exchangeTo(sink, {}, pool), ['datatimeout@x.example']);
    await until(() => sink.commands.includes('DATA'));
    for (let i = 0; i < 5; i += 1)
      expect((await deliver(exchangeTo(sink, {}, pool), ['b@x.example'])).at(-1)?.code).toBe(250);
    expect(sink.connections).toBe(2);
    await pool.close(AbortSignal.abort());
    expect((await stuck).at(-1)?.text).toContain('may have been delivered');
  });

  it('ends the transaction with RSET when it is closed before the message, and keeps the connection', async () => {
    const sink = await sinkWith();
    const pool = makePool();
    const exchange = exchangeTo(sink, {}, pool);
    await exchange.mail(FROM);
    await exchange.rcpt(mailbox('b@x.example'));
    await exchange.close();
    await until(() => pool.stats.idle === 1);
    expect(sink.commands.at(-1)).toBe('RSET');
    expect(await exchange.data(BODY)).toMatchObject({ code: 450 });
    expect(sink.messages).toEqual([]);
  });

  it('waits for its turn when all connections are in use, and can leave the queue', async () => {
    const sink = await sinkWith();
    const pool = makePool();
    const one = { maxConnectionsPerHost: 1 };
    const first = exchangeTo(sink, one, pool);
    await first.mail(FROM);
    const [second, third] = [exchangeTo(sink, one, pool), exchangeTo(sink, one, pool)];
    const [left, waiting] = [second.mail(FROM), third.mail(FROM)];
    await second.close();
    expect(await left).toMatchObject({ code: 450, text: 'transaction cancelled' });
    await first.close();
    expect(await waiting).toMatchObject({ code: 250 });
  });

  it('sends BDAT where it is enabled and offered, and DATA elsewhere', async () => {
    const both = await sinkWith();
    await deliver(exchangeTo(both, { enableBdat: true, chunkSize: 8 }), ['b@x.example']);
    expect(both.messages[0]).toMatchObject({ bdat: true, body: BODY.inMemory });
    expect(both.commands.filter((line) => line.startsWith('BDAT')).at(-1)).toMatch(/ LAST$/);
    const dataOnly = await sinkWith({ extensions: ['PIPELINING', '8BITMIME'] });
    await deliver(exchangeTo(dataOnly, { enableBdat: true }), ['b@x.example']);
    expect(dataOnly.messages[0]).toMatchObject({ bdat: false, body: BODY.inMemory });
  });

  it.each([
    ['a server that offers DSN', {}, {}, 'passed'],
    ['a server that does not', { extensions: ['PIPELINING'] }, {}, 'relayed'],
    ['LMTP without DSN', { lmtp: true, extensions: ['PIPELINING'] }, { protocol: 'lmtp' }, 'delivered'],
    ['LMTP with DSN', { lmtp: true }, { protocol: 'lmtp' }, 'passed'],
  ] as const)(
    'says who reports a success after %s, and leaves out what is not offered',
    async (_, options, config, handover) => {
      const sink = await sinkWith(options);
      const exchange = exchangeTo(sink, config);
      const from = mailbox('a@x.example', [{ keyword: 'ENVID', value: '7' }]);
      const to = mailbox('b@x.example', [{ keyword: 'NOTIFY', value: 'SUCCESS' }]);
      const envelope = await Promise.all([exchange.mail(from), exchange.rcpt(to)]);
      const replies = [...envelope, await exchange.data(BODY)];
      expect(replies.map(({ source }) => source?.mta)).toEqual(Array(3).fill('[127.0.0.1]'));
      expect(replies[2]?.source?.handover).toBe(handover);
      expect(sink.commands.some((line) => line.includes('ENVID=7'))).toBe(handover === 'passed');
      expect(sink.commands.some((line) => line.includes('NOTIFY=SUCCESS'))).toBe(handover === 'passed');
    },
  );

  it('names the destination as it names itself, and not for words that are our own', async () => {
    const hello = responseFromText(250, 'mx.sink.example hello\nPIPELINING');
    const refused = responseFromText(550, '5.1.1 no such user');
    const sink = await sinkWith({
      reply: (stage) => (stage === 'hello' ? hello : stage === 'rcpt' ? refused : undefined),
    });
    const [, rcpt] = await deliver(exchangeTo(sink), ['b@x.example']);
    expect(rcpt).toEqual({ ...refused, source: { mta: 'mx.sink.example' } });
    const breaking = await sinkWith({ reply: (stage) => (stage === 'rcpt' ? 'drop' : undefined) });
    expect((await deliver(exchangeTo(breaking), ['b@x.example']))[1]?.source).toBeUndefined();
  });

  it('speaks LMTP with one recipient at a time, because an exchange has one answer', async () => {
    const sink = await sinkWith({ lmtp: true });
    const replies = await deliver(exchangeTo(sink, { protocol: 'lmtp' }), ['b@x.example', 'c@x.example']);
    expect(replies.map((r) => r.code)).toEqual([250, 250, 452, 250]);
    expect(sink.commands[0]).toBe('LHLO client.example');
  });
});

describe('a message that is there before MAIL', () => {
  /** What a server answers to a group of MAIL, RCPT and DATA, and to what follows each 354. */
  interface Play {
    readonly group: string;
    readonly message?: string;
  }

  /** Plays one transaction after the other over as many connections as come. */
  async function playing(plays: readonly Play[]): Promise<ScriptedServer & { readonly messages: string[] }> {
    const messages: string[] = [];
    let next = 0;
    const server = await scriptedServer(async (peer) => {
      peer.say('220 server.example ESMTP\r\n');
      await peer.line();
      peer.say('250-server.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n');
      for (;;) {
        const first = await peer.line();
        if (first === undefined || first === 'QUIT') return;
        if (first === 'RSET') {
          peer.say('250 2.0.0 forgotten\r\n');
          continue;
        }
        await peer.until('DATA\r\n');
        const { group, message } = plays[next] as Play;
        next += 1;
        peer.say(group);
        if (message === undefined) continue;
        const end = await peer.until('.\r\n');
        if (end === undefined) return;
        messages.push(end);
        peer.say(message);
      }
    });
    cleanups.push(() => server.close());
    return Object.assign(server, { messages });
  }

  function wholeExchangeTo(server: ScriptedServer, pool: SmtpPool): Exchange {
    const output = createSmtpOutput(CONFIG, pool, { log: memoryLog() });
    const exchange = output.open({ remoteHost: { host: server.host, port: server.port } }, { isWhole: true });
    cleanups.push(() => exchange.close());
    return exchange;
  }

  const TAKEN = { group: '250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go on\r\n', message: '250 2.0.0 taken\r\n' };
  const LINE = memoryBody(Buffer.from('hello\r\n'));

  it('asks for DATA together with its envelope', async () => {
    const server = await playing([TAKEN, TAKEN]);
    const pool = makePool();
    for (let i = 1; i <= 2; i += 1) {
      const exchange = wholeExchangeTo(server, pool);
      expect((await deliver(exchange, ['b@x.example'], LINE)).map((r) => r.code)).toEqual([250, 250, 250]);
      await exchange.close();
    }
    expect(server.segments.filter((text) => text.startsWith('MAIL'))).toEqual(
      Array(2).fill('MAIL FROM:<a@client.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n'),
    );
    expect(server.messages).toEqual(Array(2).fill('hello\r\n.\r\n'));
    expect(server.connections).toBe(1);
  });

  it.each([
    ['refused with its recipient', '250 ok\r\n550 5.1.1 nobody\r\n503 5.5.1 no recipients\r\n', undefined, []],
    ['refused with MAIL', '550 5.7.1 no\r\n503 5.5.1 no\r\n503 5.5.1 no\r\n', undefined, []],
    ['let in for nobody', '250 ok\r\n550 5.1.1 nobody\r\n354 go on\r\n', '554 5.5.1 no recipients\r\n', ['.\r\n']],
    ['let in for nobody and taken', '250 ok\r\n450 4.2.1 busy\r\n354 go on\r\n', '250 ok\r\n', ['.\r\n']],
  ] as const)('keeps the connection when DATA is %s, and sends nobody anything', async (_, group, message, heard) => {
    const server = await playing([{ group, ...(message !== undefined && { message }) }, TAKEN]);
    const pool = makePool();
    const refused = wholeExchangeTo(server, pool);
    const [mail, rcpt] = await Promise.all([refused.mail(FROM), refused.rcpt(mailbox('b@x.example'))]);
    expect([mail, rcpt].some((r) => r.code >= 400)).toBe(true);
    await refused.close();
    await until(() => pool.stats.idle === 1);
    expect(server.messages).toEqual(heard);
    expect((await deliver(wholeExchangeTo(server, pool), ['c@x.example'], LINE)).at(-1)?.code).toBe(250);
    expect(server.connections).toBe(1);
  });

  it('is what the refusal of DATA is an answer to', async () => {
    const server = await playing([{ group: '250 ok\r\n250 ok\r\n452 4.3.1 full\r\n' }]);
    const replies = await deliver(wholeExchangeTo(server, makePool()), ['b@x.example'], LINE);
    expect(replies.map((r) => r.code)).toEqual([250, 250, 452]);
  });

  it('does not come after all: the connection goes, and not even an empty message is sent', async () => {
    const server = await playing([{ ...TAKEN }, TAKEN]);
    const pool = makePool();
    const exchange = wholeExchangeTo(server, pool);
    await Promise.all([exchange.mail(FROM), exchange.rcpt(mailbox('b@x.example'))]);
    await exchange.close();
    await until(() => pool.stats.connections === 0);
    expect(server.messages).toEqual([]);
    expect(server.segments.at(-1)).toMatch(/DATA\r\n$/);
  });

  it('is sent over a new connection when an idle one turns out to be stale', async () => {
    const server = await playing([TAKEN, { group: '421 4.4.2 idle for too long\r\n' }, TAKEN]);
    const pool = makePool();
    for (let i = 1; i <= 2; i += 1) {
      const exchange = wholeExchangeTo(server, pool);
      expect((await deliver(exchange, ['b@x.example'], LINE)).map((r) => r.code)).toEqual([250, 250, 250]);
      await exchange.close();
    }
    expect(server.messages).toHaveLength(2);
    expect(server.connections).toBe(2);
  });
});

/** Lets the event loop turn until something holds; a test that waits in vain ends by its time limit. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await settle(1);
}
