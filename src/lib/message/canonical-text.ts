/** Text as MIME wants it before it is encoded (RFC 2045 §2.1, RFC 2049 §4): valid UTF-8, lines ending in CRLF. */
import type { Body } from '../core/body.ts';

const CR = 0x0d;
const LF = 0x0a;

/** Reads a body once and answers how many of its line ends lack a CR, or `undefined` when it is not UTF-8. */
export async function scanText(body: Body): Promise<number | undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let bareLineFeeds = 0;
  let last = 0;
  try {
    for await (const chunk of body.chunks()) {
      decoder.decode(chunk, { stream: true });
      bareLineFeeds += countBare(chunk, last);
      last = chunk.at(-1) ?? last;
    }
    decoder.decode();
    return bareLineFeeds;
  } catch (error) {
    if (error instanceof TypeError && 'code' in error && error.code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
      return undefined;
    }
    throw error;
  }
}

/** The same text with CRLF at every line end, given the count from `scanText`. */
export function withCrlf(body: Body, bareLineFeeds: number): Body {
  if (bareLineFeeds === 0) return body;
  return {
    size: body.size + bareLineFeeds,
    async *chunks() {
      let last = 0;
      for await (const chunk of body.chunks()) {
        yield addCarriageReturns(chunk, last);
        last = chunk.at(-1) ?? last;
      }
    },
    retain: () => body.retain(),
  };
}

function countBare(chunk: Buffer, before: number): number {
  let count = 0;
  for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) {
    if ((at === 0 ? before : chunk[at - 1]) !== CR) count += 1;
  }
  return count;
}

function addCarriageReturns(chunk: Buffer, before: number): Buffer {
  const out = Buffer.allocUnsafe(chunk.length + countBare(chunk, before));
  let written = 0;
  let from = 0;
  for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) {
    if ((at === 0 ? before : chunk[at - 1]) === CR) continue;
    written += chunk.copy(out, written, from, at);
    out[written] = CR;
    written += 1;
    from = at;
  }
  chunk.copy(out, written, from);
  return out;
}
