/** Reading the values of header fields: addresses, dates, parameters. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDate } from '../../src/lib/message/date.ts';
import { parseAddressField } from '../../src/lib/message/mime/addresses.ts';
import { decodeWords } from '../../src/lib/message/mime/encoded-words.ts';
import { parseParameterised } from '../../src/lib/message/mime/parameters.ts';
import { readDate } from '../../src/lib/message/mime/read-date.ts';

/** `name <address>` of each. */
const list = (text: string): string[] =>
  parseAddressField(text).addresses.map(({ displayName, address }) => `${displayName}<${address}>`);

describe('an address field', () => {
  it.each<[string, string[]]>([
    ['a@b.test', ['<a@b.test>']],
    ['<a@b.test>', ['<a@b.test>']],
    ['Alice <a@b.test>', ['Alice<a@b.test>']],
    ['Alice  B.\t Carol <a@b.test>', ['Alice B. Carol<a@b.test>']],
    ['"Carol, Alice" <a@b.test>, d@e.test', ['Carol, Alice<a@b.test>', '<d@e.test>']],
    ['"a \\"b\\" \\\\ c" <a@b.test>', ['a "b" \\ c<a@b.test>']],
    ['"a b"@c.test', ['<"a b"@c.test>']],
    ['a@[192.0.2.1]', ['<a@[192.0.2.1]>']],
    ['a@[IPv6:2001:db8::1], b@c.test', ['<a@[IPv6:2001:db8::1]>', '<b@c.test>']],
    ['a @ b . test (comment (nested) \\) here)', ['<a@b.test>']],
    ['(x) a (y) @ b.test', ['<a@b.test>']],
    ['Jürgen <jürgen@bücher.test>', ['Jürgen<jürgen@bücher.test>']],
    ['<@relay.test,@other.test:a@b.test>', ['<a@b.test>']],
    ['friends: a@b.test, C <c@d.test>;, e@f.test', ['<a@b.test>', 'C<c@d.test>', '<e@f.test>']],
    ['undisclosed-recipients:;', []],
    ['', []],
    ['=?utf-8?q?A,_B?= <a@b.test>', ['=?utf-8?q?A,_B?=<a@b.test>']],
  ])('%j is sound', (text, expected) => {
    expect(parseAddressField(text).isSound).toBe(true);
    expect(list(text)).toEqual(expected);
  });

  it.each<[string, string[]]>([
    ['<a@', []],
    ['<a@>', []],
    ['a', []],
    ['Alice', []],
    ['a@b.test c@d.test', []],
    ['"unclosed <a@b.test>', []],
    ['(unclosed a@b.test', []],
    ['a@b@c.test', []],
    ['a@b..test', []],
    ['a@b.test.', ['<a@b.test>']],
    ['x: a@b.test', ['<a@b.test>']],
    ['a@b.test, , c@d.test', ['<a@b.test>', '<c@d.test>']],
    ['broken, a@b.test', ['<a@b.test>']],
    ['you@yours.test <a@b.test>', ['you@yours.test<a@b.test>']],
    ['<a@b.test> trailing', ['<a@b.test>']],
    ['<<a@b.test>>', []],
    ['Alice <a@b.test', ['Alice<a@b.test>']],
    ['> <a@b.test', []],
  ])('%j is not, though some of it may be read', (text, expected) => {
    expect(parseAddressField(text).isSound).toBe(false);
    expect(list(text)).toEqual(expected);
  });

  it.each([
    ['teller@bank.test., x@evil.test', ['<teller@bank.test>', '<x@evil.test>'], false],
    ['teller@bank..test, x@evil.test', ['<x@evil.test>'], true],
    ['x@evil.test, teller@ba nk.test', ['<x@evil.test>'], true],
    ['<x@evil.test> <teller@bank.test>', ['<x@evil.test>'], true],
    ['<x@evil.test>teller@bank.test', ['<x@evil.test>'], true],
    ['x@evil.test, "Teller <teller@bank.test>', ['<x@evil.test>'], true],
    ['x@evil.test, (Teller <teller@bank.test>', ['<x@evil.test>'], true],
    ['x@evil.test, [teller@bank.test', ['<x@evil.test>'], true],
    ['teller@bank.test: x@evil.test;', ['<x@evil.test>'], true],
    ['Smith, John <john@x.test>', ['John<john@x.test>'], false],
    ['john@x.test <john@x.test>', ['john@x.test<john@x.test>'], false],
    ['"john@x.test" <john@x.test> (work@x.test)', ['john@x.test<john@x.test>'], false],
    ['friends: a@b.test;', ['<a@b.test>'], false],
  ])('%j holds what somebody else may take for another address, or not', (text, expected, mayHideOthers) => {
    expect([list(text), parseAddressField(text).mayHideOthers]).toEqual([expected, mayHideOthers]);
  });

  it('is read in time that grows with its length only', () => {
    for (const unit of ['(', '"', '<', '[', '=?a?q?', 'a,', 'a@b.test,', ':', ';', '\\', '=?']) {
      expect(() => parseAddressField(unit.repeat(200_000 / unit.length))).not.toThrow();
    }
  });

  it('gives some answer for any text', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.constantFrom(...'<>@,;:."()[]\\ ab='), { maxLength: 30 }).map((c) => c.join('')),
    );
    fc.assert(
      fc.property(text, (value) => Array.isArray(parseAddressField(value).addresses)),
      { numRuns: 1000 },
    );
  });
});

describe('a date', () => {
  const at = (iso: string): number => Date.parse(iso) / 1000;

  it.each<[string, number, number]>([
    ['Mon, 05 Jan 2026 10:00:00 +0100', at('2026-01-05T09:00:00Z'), 3600],
    ['5 Jan 2026 10:00 -0330', at('2026-01-05T13:30:00Z'), -12_600],
    ['Mon, 5 Jan 2026 10:00:00 -0000', at('2026-01-05T10:00:00Z'), 0],
    ['Mon,5 Jan 2026 10:00:00 GMT', at('2026-01-05T10:00:00Z'), 0],
    ['Mon, 05 Jan 26 10:00:00 EST (winter (cold))', at('2026-01-05T15:00:00Z'), -18_000],
    ['Tue, 5 Jan 99 10:00:00 UT', at('1999-01-05T10:00:00Z'), 0],
    ['Mon,  05\tJan 2026 10:00:60 +0000', at('2026-01-05T10:01:00Z'), 0],
    ['29 Feb 2024 00:00:00 +0000', at('2024-02-29T00:00:00Z'), 0],
  ])('%s', (text, unixSecs, offsetSecs) => {
    expect(readDate(text)).toEqual({ unixSecs, offsetSecs });
  });

  it.each([
    '',
    'yesterday',
    '31 Feb 2026 10:00:00 +0000',
    '5 Jan 2026 25:00:00 +0000',
    '5 Jan 2026 10:00:00',
    '5 Foo 2026 10:00:00 +0000',
    '5 Jan 2026 10:00:00 +0099',
    '0 Jan 2026 10:00:00 +0000',
    '2026-01-05T10:00:00Z',
  ])('%j is none', (text) => {
    expect(readDate(text)).toBeUndefined();
  });

  it('we wrote is read as we meant it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 253_402_200_000 }),
        fc.integer({ min: -1439, max: 1439 }),
        (secs, minutes) => {
          expect(readDate(formatDate(secs * 1000, minutes))).toEqual({ unixSecs: secs, offsetSecs: minutes * 60 });
        },
      ),
    );
  });
});

describe('parameters', () => {
  const read = (text: string): [string, Record<string, string>, boolean] => {
    const { value, params, isClean } = parseParameterised(text);
    return [value, Object.fromEntries(params), isClean];
  };

  it.each<[string, string, Record<string, string>, boolean]>([
    ['text/plain', 'text/plain', {}, true],
    ['TEXT/Plain; Charset=UTF-8', 'text/plain', { charset: 'UTF-8' }, true],
    ['a/b; x="1; \\"2\\""; y=3;', 'a/b', { x: '1; "2"', y: '3' }, true],
    ['a/b (c; d=e); x=1 (f)', 'a/b', { x: '1' }, true],
    ['a/b; x=1; x=2', 'a/b', { x: '1' }, false],
    ['a/b; x=two words', 'a/b', { x: 'two words' }, false],
    ['a/b; x="open', 'a/b', { x: 'open' }, false],
    ['a/b; ; nothing; =1', 'a/b', {}, false],
    ["a/b; x*=utf-8'en'%E2%82%AC", 'a/b', { x: '€' }, true],
    ["a/b; x*1=b; x*0*=iso-8859-1''%e4; x*2*=%E4", 'a/b', { x: 'äbä' }, true],
    ["a/b; x=plain; x*=utf-8''better", 'a/b', { x: 'better' }, true],
    ["a/b; x*=utf-8''100%", 'a/b', { x: '100%' }, true],
    ['a/b; x*0=one; x*1=two', 'a/b', { x: 'onetwo' }, true],
    ["a/b; x*=x-martian''%E4", 'a/b', { x: 'ä' }, true],
    ['', '', {}, true],
  ])('of %j', (text, value, params, isClean) => {
    expect(read(text)).toEqual([value, params, isClean]);
  });

  it('are read in time that grows with their length only', () => {
    for (const unit of ['(', '"', ';', '\\', 'x*0=a;', '%41', ';a=b', '="']) {
      expect(() => parseParameterised(`a/b; x=${unit.repeat(300_000 / unit.length)}`)).not.toThrow();
    }
  });

  it('give some answer for any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => typeof parseParameterised(text).value === 'string'));
  });
});

describe('encoded words', () => {
  it.each([
    ['plain', 'plain'],
    ['=?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?iso-8859-1?Q?K=F6ln?=', 'Grüße aus Köln'],
    ['=?utf-8?B?4oI=?= =?utf-8?B?rA==?=', '€'],
    ['=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=', '日本語'],
    ['=?utf-8?Z?what?=', '=?utf-8?Z?what?='],
    ['=?utf-8?B?', '=?utf-8?B?'],
  ])('of %j are %j', (text, expected) => {
    expect(decodeWords(text)).toBe(expected);
  });

  it('never fail, and never give what JSON cannot hold', () => {
    const charset = fc.constantFrom('utf-8', 'utf-16', 'x-martian', 'iso-2022-jp', 'gb2312', '', 'utf-7');
    const word = fc
      .tuple(charset, fc.constantFrom('q', 'b', 'B', 'z'), fc.string({ unit: 'binary' }))
      .map(([c, e, t]) => `=?${c}?${e}?${t}?=`);
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.string({ unit: 'binary' }))), (pieces) => {
        const text = decodeWords(pieces.join(' '));
        expect(Buffer.from(text).toString()).toBe(text);
      }),
    );
  });
});
