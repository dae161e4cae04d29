import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DotDecoder } from '../../../src/lib/smtp/listener/dot-decoder.ts';

/** What a client sends for a message (RFC 5321 §4.5.2), without the final dot. */
function stuffed(message: string): string {
  return message.replace(/(^|\r\n)\./g, '$1..');
}

/** Feeds `sent` cut at the given places; answers the message and what follows it, or `undefined` when it has not ended. */
function decode(
  sent: Buffer,
  cuts: readonly number[],
  ownsChunks = false,
): { content: string; rest: string } | undefined {
  const decoder = new DotDecoder(ownsChunks);
  const content: Buffer[] = [];
  const places = [...new Set([0, ...cuts.map((cut) => cut % (sent.length + 1)), sent.length])].sort((a, b) => a - b);
  for (const [i, from] of places.entries()) {
    const to = places[i + 1];
    if (to === undefined) break;
    const decoded = decoder.decode(sent.subarray(from, to));
    content.push(Buffer.from(decoded.content));
    if (decoded.rest !== undefined)
      return {
        content: Buffer.concat(content).toString('latin1'),
        rest: decoded.rest.toString('latin1') + sent.toString('latin1', to),
      };
  }
  return undefined;
}

/** Text made of what matters to the decoder. */
const text = fc
  .array(fc.constantFrom('.', '\r', '\n', '\r\n', '\r\n.', 'a', 'bc'), { maxLength: 30 })
  .map((parts) => parts.join(''));
const cuts = fc.array(fc.nat(), { maxLength: 20 });

describe('the end and the dots of DATA', () => {
  it('gives back what was stuffed, however it is cut, and leaves what follows', () => {
    fc.assert(
      fc.property(text, text, cuts, (message, after, places) => {
        const body = message === '' ? '' : `${message}\r\n`;
        const sent = Buffer.from(`${stuffed(body)}.\r\n${after}`, 'latin1');
        expect(decode(sent, places)).toEqual({ content: body, rest: after });
      }),
      { numRuns: 2000 },
    );
  });

  it('does not depend on segmentation', () => {
    fc.assert(
      fc.property(text, cuts, (raw, places) => {
        const sent = Buffer.from(raw, 'latin1');
        expect(decode(sent, places)).toEqual(decode(sent, []));
      }),
      { numRuns: 2000 },
    );
  });

  it('are the same to one who may move bytes in what it is given', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(text, fc.constant('x'.repeat(40)))), cuts, (raws, places) => {
        const sent = Buffer.from(raws.join(''), 'latin1');
        const kept = decode(sent, []);
        expect(decode(sent, places, true)).toEqual(kept);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    '\n.\n',
    '\n.\r\n',
    '\r\n.\n',
    '\r.\r',
    '\r\n.\r',
    '\r.\r\n',
    '\r\r\n.\r\r\n',
    '\r\n\0.\r\n',
    '\r\n.\0\r\n',
    '\r\n.\r\0\n',
  ])('is not ended by %j', (almost) => {
    const sent = Buffer.from(`a${almost}b\r\n`, 'latin1');
    for (let cut = 0; cut <= sent.length; cut += 1) expect(decode(sent, [cut])).toBeUndefined();
  });

  it('takes the first dot off a line even when no second one follows', () => {
    expect(decode(Buffer.from('.a\r\n.b\r\n.\r\n'), [])).toEqual({ content: 'a\r\nb\r\n', rest: '' });
  });

  it('ends an empty message', () => {
    expect(decode(Buffer.from('.\r\nQUIT\r\n'), [])).toEqual({ content: '', rest: 'QUIT\r\n' });
  });

  it('does not take a dot that is content at a chunk end for the last one', () => {
    expect(decode(Buffer.from('..\r\nmore\r\n.\r\n'), [2])).toEqual({ content: '.\r\nmore\r\n', rest: '' });
    expect(decode(Buffer.from('..\r\nmore\r\n.\r\n'), [1, 2, 3, 4])).toEqual({ content: '.\r\nmore\r\n', rest: '' });
  });
});
