import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameError, FrameReader, kinds } from '../../src/lib/http/frame.ts';

const MAX_BYTES = 100_000;

const line = fc.string({ unit: 'binary-ascii', maxLength: 40 }).map((text) => text.replace(/[\r\n\0]/g, ' '));
const frame = fc.record({
  id: fc.nat(2 ** 32 - 1),
  kind: fc.constantFrom(...Object.values(kinds)),
  start: line,
  headers: fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/), line, { maxKeys: 5, noNullPrototype: true }),
  entity: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

describe('a frame', () => {
  it('says at the other end what was put into it, however the connection cuts it', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), fc.integer({ min: 1, max: 50 }), (frames, size) => {
        const bytes = Buffer.concat(
          frames.map(({ id, kind, start, headers, entity }) => encodeFrame(id, kind, start, headers, entity)),
        );
        const reader = new FrameReader(MAX_BYTES);
        const read = [];
        for (let at = 0; at < bytes.length; at += size) read.push(...reader.read(bytes.subarray(at, at + size)));
        expect(read).toEqual(frames);
      }),
    );
  });

  it('takes a text as UTF-8', () => {
    const [read] = new FrameReader(MAX_BYTES).read(encodeFrame(7, kinds.answer, '200', {}, '№ 1'));
    expect(read?.entity.toString('utf8')).toBe('№ 1');
  });

  it.each(['a\nb: c', 'a\rb', 'a\0b'])('does not carry a header of more than one line: %j', (value) => {
    expect(() => encodeFrame(1, kinds.request, 'GET /', { etag: value }, '')).toThrow(FrameError);
  });

  it('of more bytes than allowed is refused before they are there', () => {
    const bytes = encodeFrame(1, kinds.request, 'PUT /', {}, Buffer.alloc(1000));
    expect(() => new FrameReader(500).read(bytes.subarray(0, 4))).toThrow(FrameError);
  });

  it.each([
    ['a length that leaves no room for the rest', Buffer.from([0, 0, 0, 1, 0])],
    ['a head longer than it', Buffer.from([0, 0, 0, 7, 0, 0, 0, 1, 0, 0xff, 0xff])],
    ['a line that is no header', encodeFrame(1, kinds.request, 'GET /\nhello', {}, '')],
    ['a name that is none', encodeFrame(1, kinds.request, 'GET /', { __proto__x: 'y' }, '')],
    ['the name of a prototype', encodeFrame(1, kinds.request, 'GET /\n__proto__: y', {}, '')],
  ])('with %s is refused', (_, bytes) => {
    expect(() => new FrameReader(MAX_BYTES).read(bytes)).toThrow(FrameError);
  });
});
