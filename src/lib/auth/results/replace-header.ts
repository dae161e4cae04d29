/** A message with another header, without a copy of the rest: only the header was read, and only that is written anew. */
import { type Body, bytesFrom, memoryBody } from '../../core/body.ts';

/** The first `headerBytes` bytes of the body become `header`. */
export function replaceHeader(body: Body, headerBytes: number, header: Buffer): Body {
  if (body.inMemory !== undefined) return memoryBody(Buffer.concat([header, body.inMemory.subarray(headerBytes)]));
  async function* chunksFrom(offset: number): AsyncGenerator<Buffer> {
    if (offset < header.length) yield header.subarray(offset);
    yield* bytesFrom(body, headerBytes + Math.max(0, offset - header.length));
  }
  return {
    size: header.length + body.size - headerBytes,
    chunks: () => chunksFrom(0),
    ...(body.chunksFrom !== undefined && { chunksFrom }),
    retain: () => body.retain(),
  };
}
