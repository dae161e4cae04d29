import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesText, textBytes } from '../../src/lib/http/text-bytes.ts';

const anyText = fc.oneof(fc.string(), fc.string({ unit: 'binary' }));

describe('text and its bytes', () => {
  it('are those of UTF-8', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(textBytes(text).equals(Buffer.from(text, 'utf8'))).toBe(true);
      }),
    );
  });

  it('lead back to each other', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(bytesText(textBytes(text))).toBe(text);
      }),
    );
  });

  it('are no text when they are not UTF-8', () => {
    expect(bytesText(Buffer.from([0x61, 0xff]))).toBeUndefined();
    expect(bytesText(Buffer.from('caf\u00e9', 'latin1'))).toBeUndefined();
  });
});
