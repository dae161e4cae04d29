/** Undoing transfer encodings and charsets: the right bytes, however they are cut, whatever they are. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { charsetOf, decodeBytes, isUnknownCharset } from '../../src/lib/message/mime/charset.ts';
import { transferDecoder } from '../../src/lib/message/mime/transfer-decoder.ts';
import { type TextCharset, UnicodeText } from '../../src/lib/message/mime/unicode-text.ts';
import { textMeter } from '../../src/lib/message/parse/text-meter.ts';

const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array));
const sizes = fc.array(fc.nat({ max: 90 }), { maxLength: 20 });

function cut(whole: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const length of [...lengths, whole.length]) {
    pieces.push(whole.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

function decode(encoding: string, pieces: readonly Buffer[]): { out: Buffer; isFaulty: boolean } {
  const decoder = transferDecoder(encoding);
  const out = pieces.map((piece) => Buffer.from(decoder.write(Buffer.from(piece))));
  return { out: Buffer.concat([...out, decoder.end()]), isFaulty: decoder.isFaulty };
}

const decoded = (encoding: string, text: string): string =>
  decode(encoding, [Buffer.from(text, 'latin1')]).out.toString('latin1');

describe('base64', () => {
  it('gives back what was encoded, in lines of any length, however they are cut', () => {
    fc.assert(
      fc.property(
        bytes,
        fc.integer({ min: 1, max: 100 }),
        fc.constantFrom('\r\n', '\n'),
        sizes,
        (content, line, end, lengths) => {
          const text = content.toString('base64').replace(new RegExp(`.{${line}}`, 'g'), `$&${end}`);
          expect(decode('base64', cut(Buffer.from(text), lengths))).toEqual({ out: content, isFaulty: false });
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each([
    ['QUJD\r\n!!\r\nREVG', 'ABCDEF', true],
    ['QUJDRA', 'ABCD', true],
    ['QUJDR', 'ABC', true],
    ['QQ==\r\nQg==\r\n', 'AB', true],
    ['QUJD\r\nREVG=\r\n', 'ABCDEF', true],
    ['QU JD \t\r\n\r\n', 'ABC', false],
    ['-_-_\r\n', '', true],
    ['', '', false],
  ])('of %j is %j, faulty: %s', (text, expected, isFaulty) => {
    const { out, isFaulty: found } = decode('base64', [Buffer.from(text)]);
    expect([out.toString(), found]).toEqual([expected, isFaulty]);
  });
});

describe('quoted-printable', () => {
  it.each([
    ['a=3Db', 'a=b'],
    ['a=e4=E4', 'a\xe4\xe4'],
    ['soft=\r\nbreak', 'softbreak'],
    ['soft=  \t\r\nbreak', 'softbreak'],
    ['soft=\nbreak', 'softbreak'],
    ['end=', 'end'],
    ['no escape: =xy =4', 'no escape: =xy =4'],
    ['a == b', 'a == b'],
    ['line\r\nline\r\n', 'line\r\nline\r\n'],
  ])('of %j is %j', (text, expected) => {
    expect(decoded('quoted-printable', text)).toBe(expected);
  });
});

describe('any encoding', () => {
  const alphabet = fc.constantFrom('QUJD', '=', '\r\n', '\n', '\r', ' ', 'A', '4', '=3D', '\t', '=\r\n', '-', 'é');
  const mess = fc.oneof(
    bytes,
    fc.array(alphabet, { maxLength: 60 }).map((pieces) => Buffer.from(pieces.join(''))),
  );

  it.each(['base64', 'quoted-printable', '8bit', 'x-unknown'])('%s does not care where it is cut', (encoding) => {
    fc.assert(
      fc.property(mess, sizes, (content, lengths) => {
        expect(decode(encoding, cut(content, lengths))).toEqual(decode(encoding, [content]));
      }),
      { numRuns: 500 },
    );
  });

  it('that nobody knows changes nothing', () => {
    expect(decoded('x-uuencode', 'begin 644 x\n')).toBe('begin 644 x\n');
  });
});

describe('a charset', () => {
  it.each([
    ['utf-8', { kind: 'known', name: 'utf-8' }],
    ['Windows-1251', { kind: 'known', name: 'windows-1251' }],
    ['win1251', { kind: 'known', name: 'windows-1251' }],
    ['ISO-2022-JP', { kind: 'known', name: 'iso-2022-jp' }],
    ['cp932', { kind: 'known', name: 'shift_jis' }],
    ['us-ascii', { kind: 'guess' }],
    ['x-martian', { kind: 'guess' }],
    [undefined, { kind: 'guess' }],
  ])('called %s is %j', (label, expected) => {
    expect(charsetOf(label)).toEqual(expected);
  });

  it('is unknown when it has a name and nobody can decode it', () => {
    expect(['x-martian', 'utf-7', 'a'.repeat(1000)].map(isUnknownCharset)).toEqual([true, true, true]);
    expect([undefined, '', 'us-ascii', 'utf-8'].map(isUnknownCharset)).toEqual([false, false, false, false]);
  });

  it('nobody names is UTF-8 where the bytes are, else Latin-1', () => {
    expect(decodeBytes(Buffer.from('ü'), undefined)).toBe('ü');
    expect(decodeBytes(Buffer.from('ü', 'latin1'), 'us-ascii')).toBe('ü');
  });

  it('gives any bytes some text', () => {
    fc.assert(
      fc.property(
        bytes,
        fc.oneof(fc.string(), fc.constantFrom('utf-8', 'big5', 'utf-16', 'gb18030')),
        (content, label) => {
          expect(typeof decodeBytes(content, label)).toBe('string');
        },
      ),
    );
  });
});

/** What a later reading of the same bytes gives. */
function readAgain(charset: TextCharset, pieces: readonly Buffer[]): Buffer {
  const text = new UnicodeText(charset);
  return Buffer.concat([...pieces.map((piece) => text.write(piece)), text.end()]);
}

describe('text that is measured', () => {
  const labels = fc.constantFrom(
    undefined,
    'us-ascii',
    'utf-8',
    'windows-1252',
    'iso-2022-jp',
    'shift_jis',
    'utf-16le',
    'x-martian',
  );
  const lines = fc
    .array(
      fc.oneof(
        fc.constantFrom('\r\n', '\r', '\n', 'abc', 'ü', '日本', '\ufeff'),
        fc.string({ unit: 'binary', maxLength: 3 }),
      ),
    )
    .map((pieces) => Buffer.from(pieces.join('')));

  it('has the size it has when it is read again, and is kept when it is smaller than asked', () => {
    fc.assert(
      fc.property(
        fc.oneof(bytes, lines),
        labels,
        fc.nat({ max: 300 }),
        sizes,
        sizes,
        (content, label, below, once, twice) => {
          const meter = textMeter(charsetOf(label), below);
          for (const piece of cut(content, once)) meter.write(piece);
          const { charset, sizeBytes, text } = meter.end();
          const again = readAgain(charset, cut(content, twice));
          expect(again.length).toBe(sizeBytes);
          expect(text === undefined).toBe(sizeBytes >= below);
          if (text !== undefined) expect(Buffer.from(text)).toEqual(again);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('loses no byte of Latin-1', () => {
    const meter = textMeter(charsetOf(undefined), 100);
    meter.write(Buffer.from('Grüße\r\n', 'latin1'));
    expect(meter.end()).toEqual({ charset: 'latin1', sizeBytes: 8, text: 'Grüße\n' });
  });
});
