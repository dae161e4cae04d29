import { afterEach, describe, expect, it } from 'vitest';
import type { SmtpOutputConfig } from '../../src/lib/config/gateway-config.ts';
import { memoryBody } from '../../src/lib/core/body.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { type Response, reply, responseFromText } from '../../src/lib/core/response.ts';
import { createSmtpOutput } from '../../src/lib/outputs/smtp.ts';
import { SmtpPool } from '../../src/lib/smtp/client/pool.ts';
import { type Sink, type SinkOptions, startSink } from '../../src/lib/smtp/sink/sink.ts';
import { memoryLog, realClock } from '../helpers/fake-deps.ts';

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
    expect(replies[2]).toEqual(dot);
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
});
