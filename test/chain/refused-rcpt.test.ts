/** A filter that refuses the only recipient of a transaction whose output asks upstream no earlier than at RCPT. */
import { expect, it } from 'vitest';
import { drive } from '../../src/lib/chain/drive.ts';
import { exchangeOf } from '../../src/lib/chain/live-exchange.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import { LiveTransaction } from '../../src/lib/core/live.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { formatResponse, reply } from '../../src/lib/core/response.ts';
import { Stop } from '../../src/lib/core/stop.ts';

it('MAIL is answered 250 and the recipient gets the words of the filter', async () => {
  const never = new Promise<never>(() => undefined);
  const refusing: Exchange = {
    mail: () => never,
    rcpt: () => Promise.resolve(reply(550, '5.1.1', 'no such user')),
    data: () => never,
    close: () => Promise.resolve(),
  };
  const live = new LiveTransaction('tx1');
  const bugs: unknown[] = [];
  const attempt = drive(live, refusing, new Stop(), (error) => bugs.push(error));
  const downstream = exchangeOf(live);
  const answers = [downstream.mail(mailbox('a@b.test')), downstream.rcpt(mailbox('u@d.test'))];
  expect(await attempt).toBe('decided');
  expect((await Promise.all(answers)).map(formatResponse)).toEqual(['250 2.1.0 ok', '550 5.1.1 no such user']);
  expect(bugs).toEqual([]);
});
