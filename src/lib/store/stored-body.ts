/** A finalized blob as a `Body`: small ones are read at once, others when and as often as somebody wants them. */
import { type Body, memoryBody } from '../core/body.ts';
import { must } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Engine } from './engine.ts';

export async function storedBody(engine: Engine, blobId: number, size: number): Promise<Body> {
  const body = lazyBody(engine, blobId, size);
  if (size > limits.bodyUnaskedBytes) return body;
  const parts: Buffer[] = [];
  for await (const part of body.chunks()) parts.push(part);
  return memoryBody(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts));
}

function lazyBody(engine: Engine, blobId: number, size: number): Body {
  async function* chunksFrom(first: number): AsyncGenerator<Buffer> {
    for (let offset = first; offset < size; ) {
      const piece = await engine.read('readChunk', { blobId, offset });
      must(piece !== undefined, 'a finalized blob has all its bytes while its transaction lives');
      offset += piece.byteLength;
      yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    }
  }
  return {
    size,
    chunks: () => chunksFrom(0),
    chunksFrom,
    // The bytes live as long as the transaction they belong to.
    retain: () => () => undefined,
  };
}
