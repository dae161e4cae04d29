import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bodyBytes, memoryBody } from '../../src/lib/core/body.ts';
import { encodePhrase, encodeText, writeField, writeParam } from '../../src/lib/message/header-field.ts';
import { base64Body } from '../../src/lib/message/segments.ts';
import { decodeWords, readHeaders, readParams } from './mime-reader.ts';

const word = fc.string({ unit: fc.constantFrom(...'abcXYZ019.,;:<>()@"\\=?_-!'), minLength: 1, maxLength: 90 });
const spaces = fc.constantFrom(' ', '  ', '\t', ' \t ');
const asciiText = fc.array(fc.tuple(spaces, word), { minLength: 1, maxLength: 30 }).map((pairs) =>
  pairs
    .map(([space, text]) => space + text)
    .join('')
    .trim(),
);
const anyText = fc
  .string({ unit: 'grapheme', maxLength: 300 })
  .map((text) => text.replace(/[\x00-\x1f\x7f]/g, ' ').trim())
  // A text that looks like an encoded word is taken for one, as a client may have encoded it already.
  .filter((text) => !text.includes('=?'));

describe('a header field', () => {
  it('unfolds to the value it was folded from, in lines of 78 unless a word is longer', () => {
    fc.assert(
      fc.property(asciiText, (value) => {
        const field = writeField('X-Test', value);
        expect(readHeaders(field)).toEqual([['X-Test', value]]);
        for (const line of field.slice(0, -2).split('\r\n')) {
          expect(line.trim()).not.toBe('');
          expect(line.length <= 78 || !/\S\s+\S/.test(line.replace(/^X-Test: /, ''))).toBe(true);
        }
      }),
    );
  });

  it('gives any text back to a reader that decodes RFC 2047, in ASCII only', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const field = writeField('Subject', encodeText(text));
        expect(field).toMatch(/^[\t\r\n\x20-\x7e]*$/);
        expect(decodeWords(readHeaders(field)[0]?.[1] ?? '')).toBe(text);
      }),
    );
  });

  it('gives any display name back, bare, quoted or encoded', () => {
    fc.assert(
      fc.property(anyText, (name) => {
        const phrase = encodePhrase(name);
        const read = phrase.startsWith('"') ? phrase.slice(1, -1).replace(/\\(.)/g, '$1') : decodeWords(phrase);
        expect(read).toBe(name);
        // RFC 5322 §3.2.3: outside quotes a phrase has no specials.
        if (!phrase.startsWith('"')) expect(phrase).not.toMatch(/[()<>[\]:;@\\,."]/);
      }),
    );
  });

  it('gives any file name back through RFC 2231', () => {
    fc.assert(
      fc.property(
        anyText.filter((name) => name !== ''),
        (name) => {
          const field = writeField('Content-Disposition', `attachment${writeParam('filename', name)}`);
          const value = readHeaders(field)[0]?.[1] ?? '';
          expect(readParams(value)).toEqual({ value: 'attachment', params: { filename: name } });
        },
      ),
    );
  });

  it('refuses a word that no line can hold', () => {
    expect(() => writeField('X-Test', 'x'.repeat(1200))).toThrow('does not fit on a line');
    expect(
      writeField('Subject', encodeText('x'.repeat(1200)))
        .split('\r\n')
        .every((line) => line.length <= 78),
    ).toBe(true);
  });
});

describe('base64', () => {
  it('wraps at 76 characters however the source is cut, and its size is known beforehand', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200 })), async (pieces) => {
        const source = Buffer.concat(pieces);
        const body = base64Body({
          ...memoryBody(source),
          async *chunks() {
            for (const piece of pieces) yield Buffer.from(piece);
          },
        });
        const encoded = await bodyBytes(body);
        expect(encoded.length).toBe(body.size);
        const lines = encoded.toString().split('\r\n');
        expect(lines.pop()).toBe('');
        expect(lines.slice(0, -1).every((line) => line.length === 76)).toBe(true);
        expect(Buffer.from(lines.join(''), 'base64').equals(source)).toBe(true);
      }),
    );
  });
});
