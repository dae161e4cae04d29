import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/lib/core/limits.ts';
import { ContentCheck } from '../../../src/lib/smtp/listener/content-check.ts';

function refusalOf(...chunks: (string | Buffer)[]): string | undefined {
  const check = new ContentCheck();
  for (const chunk of chunks) check.inspect(Buffer.from(chunk));
  check.finish();
  return check.refusal?.text;
}

describe('what must not be in a message', () => {
  it('accepts lines that end with CRLF, and a last line without an end', () => {
    expect(refusalOf('a\r\n\r\nb\r\n')).toBeUndefined();
    expect(refusalOf('a\r\nb')).toBeUndefined();
    expect(refusalOf('')).toBeUndefined();
  });

  it.each(['a\nb', '\n', 'a\rb', '\r', 'a\r\r\n', 'a\n\r\n', 'a\r\n\n', 'a\r'])(
    'refuses the bare line break in %j',
    (text) => {
      expect(refusalOf(text)).toMatch(/bare CR or LF/);
    },
  );

  it('refuses NUL', () => {
    expect(refusalOf('a\0\r\n')).toMatch(/NUL/);
  });

  it('finds the same however the message is cut', () => {
    const text = fc
      .array(fc.constantFrom('\r', '\n', '\r\n', '\0', 'a', 'bc'), { maxLength: 12 })
      .map((parts) => parts.join(''));
    const isRefused = (raw: string): boolean => /\0|(?<!\r)\n|\r(?!\n)/.test(raw);
    fc.assert(
      fc.property(text, fc.nat(), fc.nat(), (raw, one, two) => {
        const [a = 0, b = 0] = [one % (raw.length + 1), two % (raw.length + 1)].sort((x, y) => x - y);
        expect(refusalOf(raw.slice(0, a), raw.slice(a, b), raw.slice(b)) !== undefined).toBe(isRefused(raw));
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses a line over the limit, also when it comes in many pieces, and accepts one at the limit', () => {
    const half = 'x'.repeat(limits.smtpTextLineBytes / 2);
    expect(refusalOf(half, half, '\r\n', half, half)).toBeUndefined();
    expect(refusalOf(half, half, 'x\r\n')).toMatch(/line that is too long/);
    expect(refusalOf('ok\r\n', half, half, 'x')).toMatch(/line that is too long/);
  });
});
