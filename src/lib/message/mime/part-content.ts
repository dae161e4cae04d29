/**
 * The content of a part as a body of its own: a slice of the message that is cut out and decoded whenever somebody reads it, so that a large
 * attachment is never in memory. It lives as long as the message does, and retaining it retains the message.
 */
import { type Body, bytesFrom } from '../../core/body.ts';
import { limits } from '../../core/limits.ts';
import type { MimePart } from './part.ts';
import { transferDecoder } from './transfer-decoder.ts';
import { type TextCharset, UnicodeText } from './unicode-text.ts';

export interface ContentAsk {
  readonly part: Pick<MimePart, 'start' | 'end' | 'encoding'>;
  /** Of a text, which comes out as UTF-8 with LF; other content comes out as it was before it was encoded. */
  readonly charset?: TextCharset;
  /** What all of this comes to, found out in an earlier pass. */
  readonly sizeBytes: number;
}

export function contentBody(message: Body, ask: ContentAsk): Body {
  return { size: ask.sizeBytes, chunks: () => decoded(message, ask), retain: () => message.retain() };
}

/** The content as it lies in the message, encoded or not. */
export function rawContentBody(message: Body, { start, end }: Pick<MimePart, 'start' | 'end'>): Body {
  return { size: end - start, chunks: () => slice(message, start, end), retain: () => message.retain() };
}

async function* decoded(message: Body, { part, charset }: ContentAsk): AsyncGenerator<Buffer> {
  const transfer = transferDecoder(part.encoding);
  const text = charset === undefined ? undefined : new UnicodeText(charset);
  for await (const chunk of slice(message, part.start, part.end)) {
    const bytes = transfer.write(chunk);
    const out = text === undefined ? bytes : text.write(bytes);
    if (out.length > 0) yield out;
  }
  const last = transfer.end();
  const rest = text === undefined ? [last] : [text.write(last), text.end()];
  for (const out of rest) if (out.length > 0) yield out;
}

/** Bytes of a message that lies in memory come in pieces too, since each is decoded at one go. */
async function* slice(message: Body, start: number, end: number): AsyncGenerator<Buffer> {
  if (message.inMemory !== undefined) {
    for (let at = start; at < end; at += limits.blobChunkBytes) {
      yield message.inMemory.subarray(at, Math.min(end, at + limits.blobChunkBytes));
    }
    return;
  }
  let left = end - start;
  if (left <= 0) return;
  for await (const chunk of bytesFrom(message, start)) {
    yield left < chunk.length ? chunk.subarray(0, left) : chunk;
    left -= chunk.length;
    if (left <= 0) return;
  }
}
