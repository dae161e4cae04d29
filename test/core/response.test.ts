/** Replies as values: what is read from text is written back as it was. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatResponse,
  isOk,
  isPermanent,
  isTemporary,
  type Response,
  reply,
  responseClass,
  responseFromText,
  responseLines,
  sameResponse,
} from '../../src/lib/core/response.ts';

describe('an enhanced code at the start of the text', () => {
  test.each<[string, string, Partial<Response>]>([
    ['is kept apart', '5.1.1 no such user', { enhanced: '5.1.1', text: 'no such user' }],
    ['may be all there is', '2.0.0', { enhanced: '2.0.0', text: '' }],
    ['may be absent', 'no such user', { text: 'no such user' }],
    ['needs a space behind it', '5.1.1no', { text: '5.1.1no' }],
    ['has a class of 2, 4 or 5', '3.1.1 no', { text: '3.1.1 no' }],
    ['has three parts', '5.1 no', { text: '5.1 no' }],
    ['is no address of the internet', '5.1.1.1 no', { text: '5.1.1.1 no' }],
    ['has at most three digits a part', '5.1.1234 no', { text: '5.1.1234 no' }],
    ['belongs to every line', '5.1.1 no\n5.1.1 such\n5.1.1 user', { enhanced: '5.1.1', text: 'no\nsuch\nuser' }],
    ['may be on the first line only', '5.1.1 no\nsuch user', { enhanced: '5.1.1', text: 'no\nsuch user' }],
    ['may be on a later line only', 'sorry\n5.1.1 no', { enhanced: '5.1.1', text: 'sorry\nno' }],
    ['is the first one, others are text', '5.1.1 no\n5.2.2 full', { enhanced: '5.1.1', text: 'no\n5.2.2 full' }],
    ['may stand on an empty line', '5.1.1\n5.1.1 no', { enhanced: '5.1.1', text: '\nno' }],
    ['comes with any line end', '5.1.1 a\r\n5.1.1 b\r5.1.1 c', { enhanced: '5.1.1', text: 'a\nb\nc' }],
  ])('%s', (_, message, expected) => {
    expect(responseFromText(550, message)).toEqual({ code: 550, ...expected });
  });
});

describe('a reply that is written and read again', () => {
  const code = fc.integer({ min: 200, max: 599 });
  const line = fc.string({ unit: 'grapheme' }).filter((text) => !/[\r\n]/.test(text));
  const text = fc.array(line, { minLength: 1, maxLength: 5 }).map((lines) => lines.join('\n'));
  const part = fc.integer({ min: 0, max: 999 });
  const enhanced = fc.tuple(fc.constantFrom(2, 4, 5), part, part).map((parts) => parts.join('.'));
  const roundTrip = (response: Response): Response =>
    responseFromText(response.code, responseLines(response).join('\n'));

  test('is the same when it has an enhanced code, whatever its text', () => {
    fc.assert(
      fc.property(code, enhanced, text, (c, e, t) => {
        expect(roundTrip(reply(c, e, t))).toEqual(reply(c, e, t));
      }),
    );
  });

  test('is the same when it came as text, whatever the text', () => {
    const message = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .array(fc.constantFrom('5.1.1 ', '5.1.1', '4.0.0 x', ' ', '\r', '\n', '\r\n', 'a'))
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(code, message, (c, m) => {
        const response = responseFromText(c, m);
        expect(roundTrip(response)).toEqual(response);
        expect(response.text).not.toContain('\r');
      }),
    );
  });
});

test('every line carries the enhanced code, an empty one nothing else', () => {
  expect(responseLines(reply(550, '5.1.1', 'no\n\nuser'))).toEqual(['5.1.1 no', '5.1.1', '5.1.1 user']);
  expect(responseLines({ code: 550, text: 'no\n\nuser' })).toEqual(['no', '', 'user']);
});

test.each<[number, string]>([
  [199, 'other'],
  [200, 'ok'],
  [299, 'ok'],
  [354, 'other'],
  [399, 'other'],
  [400, 'temporary'],
  [499, 'temporary'],
  [500, 'permanent'],
  [599, 'permanent'],
  [600, 'other'],
])('a reply of code %i is of class %s', (code, expected) => {
  const response = { code, text: '' };
  expect(responseClass(response)).toBe(expected);
  expect([isOk(response), isTemporary(response), isPermanent(response)]).toEqual(
    ['ok', 'temporary', 'permanent'].map((name) => name === expected),
  );
});

test('a reply is shown to people on one line', () => {
  expect(formatResponse(reply(550, '5.1.1', 'no\nsuch user'))).toBe('550 5.1.1 no / 5.1.1 such user');
});

test('two replies are the same when code, enhanced code and text are', () => {
  const one = reply(550, '5.1.1', 'no');
  expect(sameResponse(one, { ...one })).toBe(true);
  expect(sameResponse(one, { ...one, code: 551 })).toBe(false);
  expect(sameResponse(one, { ...one, text: 'No' })).toBe(false);
  expect(sameResponse(one, { code: 550, text: 'no' })).toBe(false);
});
