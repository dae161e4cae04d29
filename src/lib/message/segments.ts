/** Bodies made of pieces: header bytes and encoded parts, read one after the other, so a large attachment is never one string. */
import { type Body, bodyBytes, bytesFrom, memoryBody } from '../core/body.ts';
import { must } from '../core/errors.ts';
import { limits } from '../core/limits.ts';

export type Segment = Buffer | Body;

/** Puts pieces together; what is small becomes one buffer in memory, and then keeps none of its parts. */
export async function joinSegments(segments: readonly Segment[]): Promise<Body> {
  const joined = joinedBody(segments);
  return joined.size <= limits.bodyInMemoryBytes ? memoryBody(await bodyBytes(joined)) : joined;
}

function joinedBody(segments: readonly Segment[]): Body {
  const bodies = segments.filter((segment): segment is Body => !Buffer.isBuffer(segment));
  return {
    size: segments.reduce((sum, segment) => sum + sizeOf(segment), 0),
    chunks: () => chunksFrom(segments, 0),
    chunksFrom: (offset) => chunksFrom(segments, offset),
    retain() {
      const releases = bodies.map((body) => body.retain());
      return () => {
        for (const release of releases) release();
      };
    },
  };
}

/** Segments before the offset are not read. */
async function* chunksFrom(segments: readonly Segment[], offset: number): AsyncGenerator<Buffer> {
  let skip = offset;
  for (const segment of segments) {
    if (skip >= sizeOf(segment)) {
      skip -= sizeOf(segment);
      continue;
    }
    if (Buffer.isBuffer(segment)) yield segment.subarray(skip);
    else yield* bytesFrom(segment, skip);
    skip = 0;
  }
}

function sizeOf(segment: Segment): number {
  return Buffer.isBuffer(segment) ? segment.length : segment.size;
}

/** RFC 2045 §6.8: 76 characters a line, which is 57 bytes. */
const LINE_BYTES = 57;
const LINE_CHARS = 76;

/** The base64 of a body in lines, each with its CRLF; nothing for an empty body. */
export function base64Body(source: Body): Body {
  const chars = Math.ceil(source.size / 3) * 4;
  return {
    size: chars + Math.ceil(chars / LINE_CHARS) * 2,
    async *chunks() {
      let rest = Buffer.alloc(0);
      let read = 0;
      for await (const chunk of source.chunks()) {
        read += chunk.length;
        const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        const whole = bytes.length - (bytes.length % LINE_BYTES);
        if (whole > 0) yield encodeLines(bytes.subarray(0, whole));
        // A copy: the chunk's memory may be reused once the next one is asked for.
        rest = Buffer.from(bytes.subarray(whole));
      }
      must(read === source.size, 'a body has as many bytes as its size says');
      if (rest.length > 0) yield encodeLines(rest);
    },
    retain: () => source.retain(),
  };
}

function encodeLines(bytes: Buffer): Buffer {
  const encoded = Buffer.from(bytes.toString('base64'), 'latin1');
  const lines = Math.ceil(encoded.length / LINE_CHARS);
  const out = Buffer.allocUnsafe(encoded.length + lines * 2);
  let at = 0;
  for (let i = 0; i < lines; i += 1) {
    at += encoded.copy(out, at, i * LINE_CHARS, (i + 1) * LINE_CHARS);
    at = out.writeUInt16BE(0x0d0a, at);
  }
  return out;
}
