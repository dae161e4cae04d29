/** The two ways in which a message comes in: behind DATA up to a lone dot, and behind BDAT by count (RFC 3030 §2). */
import { type Decoded, DotDecoder } from './dot-decoder.ts';
import type { Payload } from './input-stream.ts';

type Take = Payload['take'];
type End = Payload['end'];

export class DataPayload implements Payload {
  readonly take: Take;
  readonly end: End;
  readonly #decoder = new DotDecoder(true);

  constructor(take: Take, end: End) {
    this.take = take;
    this.end = end;
  }

  decode(chunk: Buffer): Decoded {
    return this.#decoder.decode(chunk);
  }
}

export class ChunkPayload implements Payload {
  readonly take: Take;
  readonly end: End;
  #left: number;

  /** `sizeBytes` is at least 1. */
  constructor(sizeBytes: number, take: Take, end: End) {
    this.#left = sizeBytes;
    this.take = take;
    this.end = end;
  }

  decode(chunk: Buffer): Decoded {
    const content = chunk.subarray(0, this.#left);
    this.#left -= content.length;
    return this.#left > 0 ? { content } : { content, rest: chunk.subarray(content.length) };
  }
}
