/**
 * The hash of a body that needs no canonicalisation: it is in memory as a whole, has only CRLF, and `simple` changes nothing but empty lines at
 * its end (RFC 6376 §3.4.3). This is what most messages are that we sign, and it is one call.
 */
import { createHash, hash } from 'node:crypto';
import type { BodyHashAsk, HashedBody } from './body-hashes.ts';

const CR = 0x0d;
const LF = 0x0a;
const CRLF_BYTES = 2;

/** Whether `UnchangedBody` answers for all that is asked. */
export function needNoChange(asks: readonly BodyHashAsk[]): boolean {
  return asks.length > 0 && asks.every((ask) => ask.canonicalization === 'simple' && ask.length === undefined);
}

export class UnchangedBody {
  readonly isEmpty = false;
  #hashed: HashedBody | undefined;

  /** To be called once, with the whole body. */
  update(body: Buffer): void {
    this.#hashed = hashedOnce(body);
  }

  finish(): () => HashedBody {
    const hashed = this.#hashed ?? hashedOnce(Buffer.alloc(0));
    return () => hashed;
  }
}

function hashedOnce(body: Buffer): HashedBody {
  let end = body.length;
  while (end >= CRLF_BYTES && body[end - 1] === LF && body[end - 2] === CR) end -= CRLF_BYTES;
  const canonicalBytes = end + CRLF_BYTES;
  if (canonicalBytes <= body.length) {
    return { digest: hash('sha256', body.subarray(0, canonicalBytes), 'base64'), canonicalBytes };
  }
  // An empty body, and one that lacks its last line end, have one all the same.
  return { digest: createHash('sha256').update(body).update('\r\n').digest('base64'), canonicalBytes };
}
