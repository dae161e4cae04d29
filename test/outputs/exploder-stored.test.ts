/** The exploder of a submission service takes over what the far end does not take at once. */
import { expect, test } from 'vitest';
import { StoreUnavailableError } from '../../src/lib/core/errors.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';
import { codes, envelope, explode, hello, rcpts } from '../helpers/exploding.ts';
import { deferred, never, permFail, sender, tempFail } from '../helpers/fake-exchange.ts';

test('a recipient refused for now is held: not asked at DATA, and adopted', async () => {
  const { exchange, children } = explode({ msa: true }, { rcpt: tempFail }, {});
  expect(codes(await envelope(exchange, 2))).toEqual([250, 250]);
  expect(children.opened[0]?.exchange.isClosed).toBe(false);
  expect((await exchange.data(hello)).code).toBe(250);
  expect(children.opened[0]?.exchange.asked).not.toContain('DATA 5');
  expect(children.adopted).toEqual(['child-1']);
});

test('only held recipients: 250, adopted', async () => {
  const { exchange, children } = explode({ msa: true }, { mail: tempFail }, { rcpt: tempFail });
  await envelope(exchange, 2);
  expect((await exchange.data(hello)).code).toBe(250);
  expect(children.adoptions).toHaveLength(1);
  expect(children.adopted).toEqual(['child-1', 'child-2']);
});

test('zero timeouts: everything is adopted, and the far end is not asked for DATA first', async () => {
  const options = { rcpt_timeout: 0, data_timeout: 0 };
  const { exchange, children } = explode({ msa: true, options }, { rcpt: never }, { rcpt: never });
  expect(codes(await envelope(exchange, 2))).toEqual([250, 250]);
  expect((await exchange.data(hello)).code).toBe(250);
  expect(children.opened.map(({ exchange: child }) => child.asked)).toEqual([
    ['MAIL a@from.test', 'RCPT b@to.test'],
    ['MAIL a@from.test', 'RCPT c@to.test'],
  ]);
  expect(children.adopted).toEqual(['child-1', 'child-2']);
});

test('a refusal that comes after RCPT was accepted is the answer to DATA, in its own words', async () => {
  const rcpt = deferred<Response>();
  const precondition = reply(503, '5.5.1', 'failed precondition: all rcpts failed');
  const data = rcpt.promise.then(() => precondition);
  const { exchange, children, clock } = explode({ msa: true }, { rcpt: rcpt.promise, data: () => data });
  await exchange.mail(sender);
  const accepted = exchange.rcpt(rcpts[0]);
  await clock.advance(5000);
  expect((await accepted).code).toBe(250);
  const answer = exchange.data(hello);
  rcpt.resolve(permFail);
  expect(await answer).toEqual(permFail);
  expect(children.adoptions).toEqual([]);
});

test('takes a recipient there is no room for without asking anybody, and has it adopted', async () => {
  const { exchange, children } = explode({ msa: true }, { isParked: true, rcpt: never }, {});
  await exchange.mail(sender);
  expect(await exchange.rcpt(rcpts[0])).toMatchObject({ code: 250, text: 'RCPT ok (store&forward)' });
  await exchange.rcpt(rcpts[1]);
  expect(await exchange.data(hello)).toMatchObject({ code: 250, text: 'DATA ok (store&forward)' });
  expect(children.adopted).toEqual(['child-1']);
});

test('a message that there is no room for is refused for now, with a warning and no stack', async () => {
  const { exchange, children, log } = explode({ msa: true }, { rcpt: tempFail });
  children.commit = () => Promise.reject(new StoreUnavailableError('the disk is full', { isFull: true }));
  await envelope(exchange, 1);
  expect(await exchange.data(hello)).toMatchObject({ code: 452, text: expect.stringContaining('no space') });
  expect(log).toMatchObject([{ level: 'warn', fields: { error: 'the disk is full' } }]);
});
