/** What a router has against a message of `koukan send`: whose mistake it is, by the exit status. */
import { expect, it } from 'vitest';
import { refused } from '../../src/lib/tools/send/rest-transaction.ts';

it.each([
  ['an unknown sender', 404, {}, 64],
  ['an unknown tag', 400, { pointer: '/sender/tag' }, 64],
  ['a recipient that is no address', 400, { pointer: '/rcpt_to/0/m' }, 65],
  ['a busy router', 503, {}, 75],
])('%s', (_, status, problem, exitCode) => {
  const body = Buffer.from(JSON.stringify({ status, detail: 'no', ...problem }));
  const headers = { 'content-type': 'application/problem+json' };
  expect(refused('refused', { status, headers, body, url: new URL('http://127.0.0.1/') })).toMatchObject({ exitCode });
});
