import { describe, expect, it } from 'vitest';
import { type Body, memoryBody } from '../../src/lib/core/body.ts';
import { type EsmtpParam, mailbox } from '../../src/lib/core/mailbox.ts';
import { formatResponse } from '../../src/lib/core/response.ts';
import { contentRefusal } from '../../src/lib/outputs/smtp-content.ts';
import { type Fitted, fitMail, fitRcpt } from '../../src/lib/outputs/smtp-params.ts';

function offers(...keywords: string[]): ReadonlyMap<string, string> {
  return new Map(keywords.map((word): [string, string] => [word.split(' ')[0] as string, word.split(' ')[1] ?? '']));
}

/** `SIZE=5 SMTPUTF8` as parameters. */
function params(text: string): EsmtpParam[] {
  const words = text.split(' ').filter((word) => word !== '');
  return words.map((word) => {
    const [keyword = '', value] = word.split('=');
    return value === undefined ? { keyword } : { keyword, value };
  });
}

function show(fitted: Fitted): string {
  if ('refusal' in fitted) return formatResponse(fitted.refusal);
  const { address, params: kept } = fitted.box;
  return [address, ...kept.map(({ keyword, value }) => (value === undefined ? keyword : `${keyword}=${value}`))].join(
    ' ',
  );
}

const NO_FACTS = { sizeBytes: undefined, rcpts: [] };

describe('MAIL fitted to what the destination offers', () => {
  it.each([
    ['a@x', '', [], 'a@x'],
    ['', '', [], ''],
    ['a@x', 'BODY=8BITMIME', ['8BITMIME'], 'a@x BODY=8BITMIME'],
    ['a@x', 'body=8bitmime', [], 'a@x'],
    ['a@x', 'BODY=7BIT', [], 'a@x'],
    ['a@x', 'BODY=BINARYMIME', ['8BITMIME'], '504 5.5.4 body=BINARYMIME and not advertised'],
    ['a@x', 'BODY', ['8BITMIME'], '501 5.5.4 BODY needs a value'],
    ['a@x', 'SIZE=10', ['SIZE 100'], 'a@x'],
    ['a@x', 'SIZE=10', [], 'a@x'],
    ['a@x', 'SIZE', ['SIZE 100'], 'a@x'],
    ['a@x', 'SIZE=101', ['SIZE 100'], '552 5.3.4 message size 101 exceeds the 100 bytes the destination takes'],
    ['a@x', 'SIZE=101', ['SIZE 0'], 'a@x'],
    ['a@x', 'RET=HDRS ENVID=7', [], 'a@x'],
    ['a@x', 'RET=HDRS ENVID=7', ['DSN'], 'a@x RET=HDRS ENVID=7'],
    ['a@x', 'AUTH=<>', [], 'a@x'],
    ['a@x', 'REQUIRETLS', [], '504 5.5.4 smtp_endpoint: MAIL esmtp param not advertised by peer: REQUIRETLS'],
    ['a@x', 'X-Own=1', ['X-OWN'], 'a@x X-Own=1'],
    ['a@x', 'BY=10;R', ['DELIVERBY'], 'a@x BY=10;R'],
    ['a@x', 'SMTPUTF8', [], '504 5.5.4 smtp_endpoint: MAIL esmtp param not advertised by peer: SMTPUTF8'],
    ['a@x', 'SMTPUTF8', ['SMTPUTF8'], 'a@x SMTPUTF8'],
    ['é@x', '', ['SMTPUTF8'], 'é@x SMTPUTF8'],
    ['é@x', 'SMTPUTF8', ['SMTPUTF8'], 'é@x SMTPUTF8'],
    ['é@x', '', [], '553 5.6.7 a non-ASCII address, and the destination does not offer SMTPUTF8'],
    ['a@bücher.example', '', [], 'a@xn--bcher-kva.example'],
    ['a@bücher.example', 'SMTPUTF8', ['SMTPUTF8'], 'a@bücher.example SMTPUTF8'],
  ])('%s %s for %j is %s', (address, given, offered, expected) => {
    expect(show(fitMail(mailbox(address, params(given)), offers(...offered), NO_FACTS))).toBe(expected);
  });

  it('carries the real size when it is known, not the declared one', () => {
    const from = mailbox('a@x', params('SIZE=10'));
    expect(show(fitMail(from, offers('SIZE 100'), { sizeBytes: 42, rcpts: [] }))).toBe('a@x SIZE=42');
    expect(show(fitMail(from, offers(), { sizeBytes: 42, rcpts: [] }))).toBe('a@x');
    expect(show(fitMail(from, offers('SIZE 20'), { sizeBytes: 42, rcpts: [] }))).toMatch(/^552 5\.3\.4/);
  });

  it('asks for SMTPUTF8 when a recipient that is known already needs it', () => {
    const facts = { sizeBytes: undefined, rcpts: ['b@y', 'é@y'] };
    expect(show(fitMail(mailbox('a@x'), offers('SMTPUTF8'), facts))).toBe('a@x SMTPUTF8');
    expect(show(fitMail(mailbox('a@x'), offers(), facts))).toBe('a@x');
  });
});

describe('RCPT fitted to what the destination offers', () => {
  it.each([
    ['b@y', 'NOTIFY=NEVER ORCPT=rfc822;b@y', ['DSN'], false, 'b@y NOTIFY=NEVER ORCPT=rfc822;b@y'],
    ['b@y', 'NOTIFY=NEVER', [], false, 'b@y'],
    ['b@y', 'X=1', [], false, '504 5.5.4 smtp_endpoint: RCPT esmtp param not advertised by peer: X'],
    ['é@y', '', [], false, '553 5.6.7 a non-ASCII address, and the destination does not offer SMTPUTF8'],
    ['b@é.example', '', ['SMTPUTF8'], false, 'b@xn--9ca.example'],
    ['b@é.example', '', ['SMTPUTF8'], true, 'b@é.example'],
  ])('%s %s for %j is %s', (address, given, offered, smtputf8, expected) => {
    expect(show(fitRcpt(mailbox(address, params(given)), offers(...offered), smtputf8))).toBe(expected);
  });
});

describe('a message that a destination cannot take', () => {
  const eightBit = Buffer.from('Subject: é\r\n');
  const chunked = (...chunks: Buffer[]): Body => ({
    size: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    async *chunks() {
      yield* chunks;
    },
    retain: () => () => undefined,
  });

  it.each([
    ['8-bit, where 8BITMIME is offered', memoryBody(eightBit), ['8BITMIME'], undefined],
    ['8-bit, where it is not', memoryBody(eightBit), [], '5.6.3'],
    ['8-bit in its last chunk', chunked(Buffer.from('a\r\n'), eightBit), [], '5.6.3'],
    ['7-bit', chunked(Buffer.from('a\r\n'), Buffer.from('b\r\n')), [], undefined],
    ['too large', memoryBody(eightBit), ['8BITMIME', 'SIZE 5'], '5.3.4'],
  ])('is refused before it travels: %s', async (_, body, offered, enhanced) => {
    expect((await contentRefusal(body, offers(...offered)))?.enhanced).toBe(enhanced);
  });
});
