import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dsnRequest, isValidDsnParam, withoutDsnParams } from '../../src/lib/core/dsn-request.ts';
import { type EsmtpParam, mailbox } from '../../src/lib/core/mailbox.ts';
import { decodeXtext, encodeXtext, isXtext } from '../../src/lib/core/xtext.ts';

function param(text: string): EsmtpParam {
  const [keyword = '', ...rest] = text.split('=');
  return rest.length === 0 ? { keyword } : { keyword, value: rest.join('=') };
}

describe('a parameter of RFC 3461', () => {
  it.each([
    ['RET=FULL', true],
    ['ret=hdrs', true],
    ['RET', false],
    ['RET=BOTH', false],
    ['ENVID=QQ314159', true],
    ['ENVID=a+20b+2Bc', true],
    ['ENVID=a+', false],
    ['ENVID=a+2b', false],
    ['ENVID=a=b', false],
    ['ENVID=a+0Db', false],
    [`ENVID=${'x'.repeat(100)}`, true],
    [`ENVID=${'x'.repeat(101)}`, false],
    ['NOTIFY=NEVER', true],
    ['NOTIFY=Success,failure,DELAY', true],
    ['NOTIFY=NEVER,SUCCESS', false],
    ['NOTIFY=SUCCESS,', false],
    ['NOTIFY=', false],
    ['NOTIFY=ALWAYS', false],
    ['NOTIFY', false],
    ['ORCPT=rfc822;bob@b.test', true],
    ['ORCPT=rfc822;bob+2Bx@b.test', true],
    ['ORCPT=rfc822;', false],
    ['ORCPT=bob@b.test', false],
    ['ORCPT=rfc822;jörg@b.test', false],
    ['ORCPT=utf-8;jörg@b.test', true],
    ['ORCPT=utf-8;j\\x{F6}rg@b.test', true],
    [`ORCPT=rfc822;${'x'.repeat(600)}`, false],
    ['SIZE=many', true],
  ])('%s is well written: %s', (text, expected) => {
    expect(isValidDsnParam(param(text))).toBe(expected);
  });
});

describe('what a sender asked for', () => {
  const of = (mail: string, rcpt: string) =>
    dsnRequest(mailbox('a@x', mail.split(' ').map(param)), mailbox('b@y', rcpt.split(' ').map(param)));

  it.each([
    ['', { success: false, failure: true, delay: true }],
    ['NOTIFY=NEVER', { success: false, failure: false, delay: false }],
    ['notify=success', { success: true, failure: false, delay: false }],
    ['NOTIFY=FAILURE,DELAY', { success: false, failure: true, delay: true }],
    ['NOTIFY=SOMETIMES', { success: false, failure: true, delay: true }],
  ])('of "%s" is %j', (rcpt, notify) => {
    expect(of('', rcpt).notify).toEqual(notify);
  });

  it('is decoded', () => {
    expect(of('RET=FULL ENVID=a+2Bb', 'ORCPT=RFC822;bob+2Bx@b.test')).toMatchObject({
      returnsMessage: true,
      envelopeId: 'a+b',
      originalRecipient: { type: 'rfc822', address: 'bob+x@b.test' },
    });
    const said = of('', 'ORCPT=utf-8;j\\x{F6}rg\\x{2B}x@b.test').originalRecipient;
    expect(said).toEqual({ type: 'utf-8', address: 'jörg+x@b.test' });
    expect(of('', 'ORCPT=utf-8;x\\x{D800}\\x{0A}y').originalRecipient?.address).toBe('x\\x{D800}\\x{0A}y');
  });

  it('can be taken off again', () => {
    const box = mailbox('b@y', ['NOTIFY=NEVER', 'X=1', 'orcpt=rfc822;b'].map(param));
    expect(withoutDsnParams(box).params).toEqual([param('X=1')]);
  });
});

describe('xtext', () => {
  it('gives back what was put in', () => {
    const ascii = fc.string({
      unit: fc.integer({ min: 0, max: 127 }).map((code) => String.fromCharCode(code)),
      minLength: 1,
    });
    fc.assert(
      fc.property(ascii, (text) => {
        expect(isXtext(encodeXtext(text))).toBe(true);
        expect(decodeXtext(encodeXtext(text))).toBe(text);
      }),
    );
  });
});
