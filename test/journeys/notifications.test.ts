/** What a sender asked to be told (RFC 3461) goes along to a far end that can tell him; where it cannot, Koukan tells him itself. */
import { describe, it, type TestContext } from 'vitest';
import type { SinkMessage } from '../../src/lib/smtp/sink/sink.ts';
import { readDsn } from '../helpers/dsn-mail.ts';
import { Journey, shapes } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { sendContent, sendSmtp, smtpClient } from '../helpers/journey-mail.ts';

const WITHOUT_DSN = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES'];
const MAIL = 'MAIL FROM:<alice@example.com> RET=FULL ENVID=QQ+2B7';

/** Sends one message with its parameters; answers the reply to the message. */
async function send(context: TestContext, port: number, rcpts: readonly string[]): Promise<string> {
  const client = await smtpClient(context, port);
  await client.command(MAIL);
  for (const rcpt of rcpts) await client.command(`RCPT TO:${rcpt}`);
  await client.command('DATA');
  return sendContent(client, 'Message-ID: <one@example.com>\r\n\r\nhello\r\n');
}

/** `user=value` of every parameter the far end saw. */
const paramsOf = ({ mailFrom, rcptTo }: SinkMessage): readonly string[] =>
  [mailFrom, ...rcptTo].flatMap(({ params }) => params.map(({ keyword, value }) => `${keyword}=${value ?? ''}`));

const toAlice = (messages: readonly SinkMessage[]): readonly SinkMessage[] =>
  messages.filter(({ rcptTo }) => rcptTo[0]?.address === 'alice@example.com');

describe('a sender who asks to be told of the success', () => {
  it.concurrent.for(shapes)('is left to a far end that knows of such duties: %s', async (shape, context) => {
    const { expect } = context;
    const journey = await Journey.open(context);
    const started = await journey.start(shape);
    const { mx } = journey.ports;
    // From the first answer of the router on, a gateway of its own knows that it may offer DSN.
    await sendSmtp(context, { port: mx, rcpts: ['first@far.example'] });
    const client = await smtpClient(context, mx);
    expect(await client.command('EHLO client.example')).toContain('250-DSN');
    const rcpt = '<bob@far.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@far.example';
    expect(await send(context, mx, [rcpt])).toMatch(/^250 /);
    const messages = await journey.sink.received(2);
    expect(paramsOf(messages[1] as SinkMessage)).toEqual(
      expect.arrayContaining(['RET=FULL', 'ENVID=QQ+2B7', 'NOTIFY=SUCCESS,DELAY', 'ORCPT=rfc822;Bob+2Bx@far.example']),
    );
    expect(await started.stop()).toEqual(started.processes.map(() => 0));
    expect(toAlice(journey.sink.messages)).toEqual([]);
    expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
  });

  it.concurrent.for(shapes)('is told that his message was relayed where it does not: %s', async (shape, context) => {
    const { expect } = context;
    const journey = await Journey.open(context, { farOffers: WITHOUT_DSN });
    const started = await journey.start(shape);
    const { mx } = journey.ports;
    await sendSmtp(context, { port: mx, rcpts: ['first@far.example'] });
    const rcpt = '<bob@far.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Bx@far.example';
    expect(await send(context, mx, [rcpt, '<carol@far.example> NOTIFY=NEVER'])).toMatch(/^250 /);
    const messages = await journey.sink.received(4);
    expect(messages.flatMap(paramsOf).filter((param) => /^(?:RET|ENVID|NOTIFY|ORCPT)=/.test(param))).toEqual([]);
    const [dsn] = toAlice(messages);
    const { status, recipient, node } = readDsn((dsn as SinkMessage).body);
    expect(dsn?.mailFrom.address).toBe('');
    expect(status.envelopeId).toBe('QQ+7');
    expect(recipient).toMatchObject({
      action: 'relayed',
      finalRecipient: { address: 'bob@far.example' },
      originalRecipient: { address: 'Bob+x@far.example' },
      remoteMta: '[127.0.0.1]',
    });
    expect(node.headers).toContainEqual(['References', '<one@example.com>']);
    expect(await started.stop()).toEqual(started.processes.map(() => 0));
    expect(toAlice(journey.sink.messages)).toHaveLength(1);
    expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
  });
});

describe('a sender who wants to hear nothing', () => {
  it.concurrent.for(shapes)('hears nothing, and the others what they asked for: %s', async (shape, context) => {
    const { expect } = context;
    const journey = await Journey.open(context);
    const started = await journey.start(shape);
    const { msa } = journey.ports;
    await sendSmtp(context, { port: msa, rcpts: ['first@far.example'] });
    const rcpts = [
      '<ok@far.example>',
      '<dataperm1@far.example> NOTIFY=NEVER',
      '<dataperm2@far.example> NOTIFY=FAILURE',
    ];
    expect(await send(context, msa, rcpts)).toMatch(/^250 /);
    await journey.sink.received(3);
    expect(await started.stop()).toEqual(started.processes.map(() => 0));
    expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
    const dsns = toAlice(journey.sink.messages).map(({ body }) => readDsn(body));
    expect(dsns).toMatchObject([
      {
        shape: expect.stringContaining('message/rfc822'),
        recipient: { action: 'failed', status: '5.2.0', finalRecipient: { address: 'dataperm2@far.example' } },
      },
    ]);
  });
});
