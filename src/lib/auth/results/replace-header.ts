/** A message with another header, without a copy of the rest: only the header was read, and only that is written anew. */
import { type Body, memoryBody } from '../../core/body.ts';

/** The first `headerBytes` bytes of the body become `header`. */
export function replaceHeader(body: Body, headerBytes: number, header: Buffer): Body {
  if (body.inMemory !== undefined) return memoryBody(Buffer.concat([header, body.inMemory.subarray(headerBytes)]));
  return {
    size: header.length + body.size - headerBytes,
    async *chunks() {
      yield header;
      let skip = headerBytes;
      for await (const chunk of body.chunks()) {
        if (skip >= chunk.length) {
          skip -= chunk.length;
          continue;
        }
        yield skip === 0 ? chunk : chunk.subarray(skip);
        skip = 0;
      }
    },
    retain: () => body.retain(),
  };
}
