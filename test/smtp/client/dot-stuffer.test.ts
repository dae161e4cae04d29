import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DotStuffer } from '../../../src/lib/smtp/client/dot-stuffer.ts';
import { unstuffed } from '../../../src/lib/smtp/sink/message-reader.ts';

function wire(...chunks: string[]): string {
  return wireOf(
    new DotStuffer(),
    chunks.map((chunk) => Buffer.from(chunk, 'latin1')),
  );
}

function wireOf(stuffer: DotStuffer, chunks: readonly Buffer[]): string {
  const parts: Buffer[] = [];
  for (const chunk of chunks) stuffer.next(chunk, parts);
  return Buffer.concat([...parts, stuffer.end()]).toString('latin1');
}

/** What the documented normalisation makes of a text: every line end, however written, is CRLF, and the last line has one. */
function normalised(text: string): string {
  const lines = text.replace(/\r\n|\r|\n/g, '\r\n');
  return lines === '' || lines.endsWith('\r\n') ? lines : `${lines}\r\n`;
}

describe('the wire form of a message', () => {
  it.each([
    ['an empty message', [''], '.\r\n'],
    ['a complete last line', ['a\r\n'], 'a\r\n.\r\n'],
    ['an incomplete last line', ['a'], 'a\r\n.\r\n'],
    ['a lone dot', ['.'], '..\r\n.\r\n'],
    ['a line that is a dot', ['a\r\n.\r\nb\r\n'], 'a\r\n..\r\nb\r\n.\r\n'],
    ['a dot after a chunk that ends a line', ['a\r\n', '.b\r\n'], 'a\r\n..b\r\n.\r\n'],
    ['a dot after a chunk that ends inside a line', ['a', '.b\r\n'], 'a.b\r\n.\r\n'],
    ['a chunk that ends between CR and LF', ['a\r', '\n.b'], 'a\r\n..b\r\n.\r\n'],
    ['a message that ends in CR', ['a\r'], 'a\r\n.\r\n'],
    ['a bare LF', ['a\n.b\n'], 'a\r\n..b\r\n.\r\n'],
    ['a bare CR', ['a\r.b\rc'], 'a\r\n..b\r\nc\r\n.\r\n'],
    ['a bare CR at the end of a chunk', ['a\r', '.b'], 'a\r\n..b\r\n.\r\n'],
    ['a smuggled end with bare LFs', ['a\n.\nMAIL FROM:<x@y>'], 'a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n'],
    ['two CRs before an LF', ['a\r\r\nb'], 'a\r\n\r\nb\r\n.\r\n'],
    ['empty chunks in between', ['a\r', '', '\n', '', '.'], 'a\r\n..\r\n.\r\n'],
  ])('is right for %s', (_, chunks, expected) => {
    expect(wire(...chunks)).toBe(expected);
  });

  it('is the same without a look at line ends that somebody has looked at', () => {
    const pieces = fc.array(fc.constantFrom('\r\n', '.', 'a', 'bc', '\r\n.', '..'), { maxLength: 20 });
    fc.assert(
      fc.property(pieces, fc.array(fc.nat(), { maxLength: 4 }), (parts, cuts) => {
        const text = parts.join('');
        const ends = [...cuts.map((cut) => cut % (text.length + 1)), text.length].sort((a, b) => a - b);
        const chunks = ends.map((end, i) => Buffer.from(text.slice(ends[i - 1] ?? 0, end)));
        const [trusting, looking] = [new DotStuffer(true), new DotStuffer()].map((stuffer) => wireOf(stuffer, chunks));
        expect(trusting).toBe(looking);
      }),
    );
  });

  it('leaves a message alone, down to the buffer, when there is nothing to do', () => {
    const chunk = Buffer.from('Subject: x\r\n\r\nhello\r\n');
    const parts: Buffer[] = [];
    new DotStuffer().next(chunk, parts);
    expect(parts).toEqual([chunk]);
    expect(parts[0]).toBe(chunk);
  });

  it('is the same for the last chunk with its end, whether it is small or large, and copies no large one for a few dots', () => {
    for (const filler of [0, 100_000]) {
      for (const text of ['', '.', 'a', '.\r\n.a\r\n', 'a\n.', `${'b'.repeat(500)}\r\n.\r\n`]) {
        for (const hasOnlyCrlf of text.includes('a\n') ? [false] : [false, true]) {
          const chunk = Buffer.from(`${text}${'x'.repeat(filler)}\r\n.y`);
          const pieces = new DotStuffer(hasOnlyCrlf).last(chunk);
          expect(Buffer.concat(pieces).toString('latin1')).toBe(wire(chunk.toString('latin1')));
          if (filler > 0 && text !== 'a\n.') expect(pieces.some(({ buffer }) => buffer === chunk.buffer)).toBe(true);
        }
      }
    }
  });

  const text = fc.array(fc.constantFrom('\r', '\n', '.', 'a', '\r\n', '\r\n.', '\u00e9'), { maxLength: 60 });

  it('does not depend on where the chunks end, and is undone by taking the stuffing off', () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 6 }), (chunks) => {
        const whole = chunks.flat().join('');
        const sent = wire(...chunks.map((chunk) => chunk.join('')));
        expect(sent).toBe(wire(whole));
        expect(sent.endsWith('.\r\n')).toBe(true);
        expect(unstuffed(Buffer.from(sent.slice(0, -3), 'latin1')).toString('latin1')).toBe(normalised(whole));
        expect(sent.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
        expect(`\r\n${sent}`.indexOf('\r\n.\r\n')).toBe(sent.length - 3);
      }),
      { numRuns: 500 },
    );
  });

  it('takes time in proportion to its size, also when every byte is a bare line end', () => {
    for (const hostile of ['\r', '\n', '\r.', '\n.', '.\r\n']) {
      const sent = wire(hostile.repeat(400_000));
      expect(sent.length).toBeGreaterThan(400_000);
    }
  });
});
