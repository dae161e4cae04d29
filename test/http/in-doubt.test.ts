/** Doubt about a message travels between router and gateway: who was not answered says so, and what a peer did say is no doubt. */
import { describe, expect, it } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';
import { NEW_TX } from '../../src/lib/core/transaction.ts';
import { cutOffReply, inDoubt } from '../../src/lib/core/uncertainty.ts';
import { dsnHeader, readDsnHeader } from '../../src/lib/http/wire-dsn.ts';
import { openExchange } from './client-hop.ts';
import { startRestServer } from './rest-server.ts';

const BODY = memoryBody(Buffer.from('Subject: hi\r\n\r\nhello\r\n'));

async function answerOf(data: () => Promise<Response>): Promise<Response> {
  const { url } = await startRestServer({ data });
  const exchange = openExchange(url);
  const replies = await Promise.all([exchange.mail(mailbox('a@x.test')), exchange.rcpt(mailbox('b@y.test'))]);
  expect(replies.map(({ code }) => code)).toEqual([250, 250]);
  return exchange.data(BODY);
}

describe('the answer to a message over REST', () => {
  it('is in doubt when the far end of the peer never answered', async () => {
    const answer = await answerOf(() => Promise.resolve(cutOffReply));
    expect(answer).toMatchObject({ code: 450, enhanced: '4.4.2', inDoubt: true });
  });

  it('is no doubt when somebody has refused for now', async () => {
    const answer = await answerOf(() => Promise.resolve(reply(450, '4.2.0', 'later')));
    expect(answer.code).toBe(450);
    expect(answer.inDoubt).toBeUndefined();
  });
});

describe('the header of doubt', () => {
  const headerOf = (data: Response): string => dsnHeader({ ...NEW_TX, replies: { rcpt: [], data } });

  it('says it beside who gave the reply', () => {
    const source = { mta: 'mx.example.com' };
    const doubtful = headerOf({ ...inDoubt(reply(450, '4.4.2', 'lost')), source });
    expect(doubtful).toBe('yes; in-doubt=yes; mta=mx.example.com');
    expect(readDsnHeader(doubtful)).toEqual({ ...source, inDoubt: true });
    expect(readDsnHeader(headerOf({ ...reply(450, '4.2.0', 'later'), source }))).toEqual(source);
  });

  it('is never said of a message that was taken or refused for good', () => {
    expect(inDoubt(reply(250, '2.0.0', 'ok'))).not.toHaveProperty('inDoubt');
    expect(inDoubt(reply(550, '5.0.0', 'no'))).not.toHaveProperty('inDoubt');
  });
});
