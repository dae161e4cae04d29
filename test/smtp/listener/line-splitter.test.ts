import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/lib/core/limits.ts';
import { LineSplitter } from '../../../src/lib/smtp/listener/line-splitter.ts';

/** All lines of the input, cut into chunks of `size` bytes: their text, or `!fault`. */
function lines(input: string | Buffer, size = Number.POSITIVE_INFINITY): string[] {
  const splitter = new LineSplitter();
  const bytes = Buffer.from(input);
  const found: string[] = [];
  for (let from = 0; from < bytes.length; from += size) {
    let rest: Buffer | undefined = bytes.subarray(from, Math.min(bytes.length, from + size));
    while (rest !== undefined && rest.length > 0) {
      const next = splitter.take(rest);
      if (next.line !== undefined)
        found.push(next.line.fault === undefined ? next.line.bytes.toString('latin1') : `!${next.line.fault}`);
      rest = next.rest;
    }
  }
  return found;
}

describe('command lines', () => {
  it('end with CRLF, in any segmentation', () => {
    for (const size of [1, 2, 3, 100]) expect(lines('EHLO x\r\n\r\nQUIT\r\n', size)).toEqual(['EHLO x', '', 'QUIT']);
  });

  it('are not taken apart at other line breaks: one fault for all up to the CRLF', () => {
    for (const size of [1, 2, 3, 100]) {
      expect(lines('EHLO x\nMAIL FROM:<a@b>\nQUIT\r\nNOOP\r\n', size)).toEqual(['!lineBreak', 'NOOP']);
      expect(lines('EHLO x\rQUIT\r\nNOOP\r\n', size)).toEqual(['!lineBreak', 'NOOP']);
      expect(lines('EHLO x\r\r\nNOOP\r\n', size)).toEqual(['!lineBreak', 'NOOP']);
    }
  });

  it('tell a bare LF before the line is complete, so that a terminal user is answered', () => {
    expect(lines('EHLO x\n')).toEqual(['!lineBreak']);
  });

  it('may not hold NUL', () => {
    expect(lines('NO\0OP\r\nNOOP\r\n')).toEqual(['!nul', 'NOOP']);
  });

  it('may be as long as the limit, and are one fault beyond it', () => {
    const longest = 'x'.repeat(limits.smtpCommandLineBytes);
    for (const size of [1000, 100_000]) {
      expect(lines(`${longest}\r\nNOOP\r\n`, size)).toEqual([longest, 'NOOP']);
      expect(lines(`${longest}x\r\nNOOP\r\n`, size)).toEqual(['!tooLong', 'NOOP']);
      expect(lines(`${'y'.repeat(1_000_000)}\r\nNOOP\r\n`, size)).toEqual(['!tooLong', 'NOOP']);
    }
  });

  it('never hold a line break, whatever is sent', () => {
    const input = fc
      .array(fc.constantFrom('\r', '\n', '\r\n', '\0', 'a', 'bc'), { maxLength: 30 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(input, fc.integer({ min: 1, max: 10 }), (text, size) => {
        const found = lines(text, size);
        expect(found.some((line) => /[\r\n\0]/.test(line))).toBe(false);
        expect(found.filter((line) => !line.startsWith('!')).every((line) => text.includes(`${line}\r\n`))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
