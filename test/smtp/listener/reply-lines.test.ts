import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reply } from '../../../src/lib/core/response.ts';
import { encodeReply } from '../../../src/lib/smtp/listener/reply-lines.ts';

describe('a reply on the wire', () => {
  it('has one line for each line of its text, all with both codes', () => {
    expect(encodeReply(reply(550, '5.1.1', 'no such user\nreally'))).toBe(
      '550-5.1.1 no such user\r\n550 5.1.1 really\r\n',
    );
  });

  it('gets the enhanced code "undefined" when it has none or one of another class (RFC 2034 §4)', () => {
    expect(encodeReply({ code: 250, text: 'ok' })).toBe('250 2.0.0 ok\r\n');
    expect(encodeReply(reply(450, '5.1.1', 'later'))).toBe('450 4.0.0 later\r\n');
  });

  it('has no enhanced code in the middle of a dialogue or where the extension forbids it', () => {
    expect(encodeReply({ code: 354, text: 'go on' })).toBe('354 go on\r\n');
    expect(encodeReply({ code: 250, text: 'mx\nSIZE 1' }, { isPlain: true })).toBe('250-mx\r\n250 SIZE 1\r\n');
  });

  it('never contains more than 512 octets a line, a control character, or a line of somebody else', () => {
    const anything = fc.string({ unit: 'binary', maxLength: 3000 });
    fc.assert(
      fc.property(anything, (text) => {
        const wire = encodeReply(reply(550, '5.7.1', text));
        expect(wire.endsWith('\r\n')).toBe(true);
        const lines = wire.slice(0, -2).split('\r\n');
        for (const [i, line] of lines.entries()) {
          expect(Buffer.byteLength(line) + 2).toBeLessThanOrEqual(512);
          expect(line.startsWith(i === lines.length - 1 ? '550 5.7.1 ' : '550-5.7.1 ')).toBe(true);
          expect(/[\u0000-\u0008\u000a-\u001f\u007f]/.test(line)).toBe(false);
        }
      }),
    );
  });

  it('loses no word when it is cut', () => {
    const words = Array.from({ length: 400 }, (_, i) => `word${i}`).join(' ');
    const lines = encodeReply(reply(250, '2.0.0', words))
      .split('\r\n')
      .slice(0, -1);
    expect(lines.length).toBeGreaterThan(4);
    expect(lines.map((line) => line.slice(10)).join(' ')).toBe(words);
  });
});
