import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import { headerValue, parseHeaders, readHeaderBlock } from '../../src/lib/message/headers.ts';

const block = async (text: string, maxBytes?: number): Promise<string> =>
  (await readHeaderBlock(memoryBody(Buffer.from(text)), maxBytes)).toString();

describe('the header block of a message', () => {
  it.each([
    ['a: 1\r\nb: 2\r\n\r\nbody\r\n\r\n', 'a: 1\r\nb: 2\r\n'],
    ['a: 1\nb: 2\n\nbody', 'a: 1\nb: 2\n'],
    ['a: 1\r\n', 'a: 1\r\n'],
    ['\r\nbody', ''],
    ['\nbody', ''],
    ['', ''],
  ])('of %j is %j', async (message, wanted) => {
    expect(await block(message)).toBe(wanted);
  });

  it('is found wherever the chunks are cut', async () => {
    const message = 'a: 1\r\nb: 2\n c\r\n\r\nbody\n\nmore\r\n\r\n';
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: message.length }), { maxLength: 5 }), async (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), message.length];
        const body = {
          ...memoryBody(Buffer.from(message)),
          async *chunks() {
            for (const [i, place] of places.entries()) yield Buffer.from(message.slice(place, places[i + 1]));
          },
        };
        expect((await readHeaderBlock(body)).toString()).toBe('a: 1\r\nb: 2\n c\r\n');
      }),
    );
  });

  it('is cut after a whole line when it is too long', async () => {
    expect(await block('a: 1\r\nb: 2\r\nc: 3\r\n\r\n', 14)).toBe('a: 1\r\nb: 2\r\n');
  });
});

describe('header fields', () => {
  it('are unfolded, in order, duplicates included, and found without regard to case', () => {
    const fields = parseHeaders(Buffer.from('Received: a\r\n\tb;\r\n c\r\nSUBJECT:  hi \r\nreceived: d\r\n'));
    expect(fields).toEqual([
      { name: 'Received', value: 'a\tb; c' },
      { name: 'SUBJECT', value: 'hi' },
      { name: 'received', value: 'd' },
    ]);
    expect(headerValue(fields, 'Subject')).toBe('hi');
    expect(headerValue(fields, 'date')).toBeUndefined();
  });

  it('leaves out what is no field, with its continuation lines', () => {
    const fields = parseHeaders(Buffer.from(' stray\nFrom nobody\n more\nTo : x\nnonsense\n'));
    expect(fields).toEqual([{ name: 'To', value: 'x' }]);
  });

  it('are ended by a lone CR, which becomes a line end when the message is sent on', () => {
    const fields = parseHeaders(Buffer.from('X: a\rFrom: evil@bank.test\r b\r\nTo: c\r\r\n'));
    expect(fields.map(({ name, value }) => `${name}=${value}`)).toEqual(['X=a', 'From=evil@bank.test b', 'To=c']);
  });

  it('reads UTF-8, and Latin-1 when it is none', () => {
    expect(parseHeaders(Buffer.from('a: ü'))[0]?.value).toBe('ü');
    expect(parseHeaders(Buffer.from('a: ü', 'latin1'))[0]?.value).toBe('ü');
  });

  it('gives some answer for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        for (const { name, value } of parseHeaders(Buffer.from(bytes))) expect(`${name}${value}`).not.toContain('\n');
      }),
    );
  });
});
