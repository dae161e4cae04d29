/** Bodies as values: the same bytes every time they are read. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Body, bodyBytes, bytesFrom, memoryBody, prefixedBody } from '../../src/lib/core/body.ts';

/** A body that does not lie in memory, in the given pieces. */
function pieces(parts: readonly Buffer[]): Body & { retained: number } {
  return {
    size: parts.reduce((sum, part) => sum + part.length, 0),
    retained: 0,
    async *chunks() {
      yield* parts;
    },
    retain() {
      this.retained += 1;
      return () => {
        this.retained -= 1;
      };
    },
  };
}

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));

test('a prefix comes before the bytes, wherever they lie, as often as they are read', async () => {
  await fc.assert(
    fc.asyncProperty(bytes, fc.array(bytes, { maxLength: 4 }), async (prefix, parts) => {
      const whole = Buffer.concat([prefix, ...parts]);
      for (const rest of [memoryBody(Buffer.concat(parts)), pieces(parts)]) {
        const body = prefixedBody(prefix, rest);
        expect(body.size).toBe(whole.length);
        expect(await bodyBytes(body)).toEqual(whole);
        expect(await bodyBytes(body)).toEqual(whole);
      }
    }),
  );
});

test('a body with a prefix is read from any byte on, where the bytes behind the prefix can be', async () => {
  await fc.assert(
    fc.asyncProperty(bytes, bytes, fc.nat(), async (prefix, behind, where) => {
      const whole = Buffer.concat([prefix, behind]);
      const offset = where % (whole.length + 1);
      const rest = { ...pieces([behind]), chunksFrom: (from: number) => pieces([behind.subarray(from)]).chunks() };
      const read: Buffer[] = [];
      for await (const chunk of prefixedBody(prefix, rest).chunksFrom?.(offset) ?? []) read.push(chunk);
      expect(Buffer.concat(read)).toEqual(whole.subarray(offset));
    }),
  );
  expect(prefixedBody(Buffer.from('x'), pieces([])).chunksFrom).toBeUndefined();
});

test('a body is read from any byte on, however it can be', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(bytes), fc.nat(), fc.boolean(), async (chunks, where, isSeekable) => {
      const whole = Buffer.concat(chunks);
      const offset = where % (whole.length + 1);
      const body = pieces(chunks);
      const seekable = { ...body, chunksFrom: (from: number) => pieces([whole.subarray(from)]).chunks() };
      const read: Buffer[] = [];
      for await (const chunk of bytesFrom(isSeekable ? seekable : body, offset)) read.push(chunk);
      expect(Buffer.concat(read)).toEqual(whole.subarray(offset));
    }),
  );
});

test('a body with a prefix keeps the bytes behind it alive', () => {
  const rest = pieces([Buffer.from('x')]);
  const release = prefixedBody(Buffer.from('p'), rest).retain();
  expect(rest.retained).toBe(1);
  release();
  expect(rest.retained).toBe(0);
});
