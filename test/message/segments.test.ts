/** Bodies made of pieces, and bodies with another header: read from any byte on, they are the rest of what they are. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { replaceHeader } from '../../src/lib/auth/results/replace-header.ts';
import { type Body, bodyBytes, bytesFrom } from '../../src/lib/core/body.ts';
import { limits } from '../../src/lib/core/limits.ts';
import { base64Body, joinSegments } from '../../src/lib/message/segments.ts';

function pieces(parts: readonly Buffer[], isSeekable: boolean): Body {
  async function* chunksFrom(offset: number): AsyncGenerator<Buffer> {
    yield Buffer.concat(parts).subarray(offset);
  }
  return {
    size: parts.reduce((sum, part) => sum + part.length, 0),
    async *chunks() {
      yield* parts;
    },
    ...(isSeekable && { chunksFrom }),
    retain: () => () => undefined,
  };
}

async function restOf(body: Body, offset: number): Promise<Buffer> {
  const read: Buffer[] = [];
  for await (const chunk of bytesFrom(body, offset)) read.push(chunk);
  return Buffer.concat(read);
}

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));

it('a message of parts that is too large for memory', async () => {
  const filler = Buffer.alloc(limits.bodyInMemoryBytes, 'filler');
  await fc.assert(
    fc.asyncProperty(fc.array(bytes), fc.boolean(), fc.nat(), async (parts, isSeekable, where) => {
      const body = await joinSegments([...parts, base64Body(pieces(parts, isSeekable)), pieces([filler], isSeekable)]);
      const whole = await bodyBytes(body);
      expect(whole.length).toBe(body.size);
      for (const offset of [where % 3000, 0, whole.length]) {
        expect((await restOf(body, offset)).equals(whole.subarray(offset))).toBe(true);
      }
    }),
    { numRuns: 30 },
  );
});

it('a message whose header was replaced', async () => {
  await fc.assert(
    fc.asyncProperty(
      bytes,
      bytes,
      fc.array(bytes),
      fc.boolean(),
      fc.nat(),
      async (was, is, rest, isSeekable, where) => {
        const body = replaceHeader(pieces([was, ...rest], isSeekable), was.length, is);
        const whole = Buffer.concat([is, ...rest]);
        expect(body.size).toBe(whole.length);
        expect(await bodyBytes(body)).toEqual(whole);
        const offset = where % (whole.length + 1);
        expect(await restOf(body, offset)).toEqual(whole.subarray(offset));
      },
    ),
  );
});
