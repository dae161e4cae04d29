/** Randomness of the operating system, for ids as well as for jitter and weighted choices. */
import { randomFillSync } from 'node:crypto';
import type { Rng } from '../core/deps.ts';

/** Drawn at a time: a call costs the same for a few bytes as for some thousand. */
const POOL_BYTES = 4096;
/** Larger asks are rare, and would leave the rest of a pool unused. */
const POOLED_MAX_BYTES = 64;

let pool: Buffer = Buffer.alloc(0);
let used = 0;

export const systemRng: Rng = {
  uniform: () => Math.random(),
  bytes: (size) => (size > POOLED_MAX_BYTES ? freshBytes(size) : pooledBytes(size)),
};

function freshBytes(size: number): Buffer {
  return randomFillSync(Buffer.allocUnsafeSlow(size));
}

/** No byte is given out twice: a pool that is used up is left to those who have parts of it, and a new one is made. */
function pooledBytes(size: number): Buffer {
  if (used + size > pool.length) {
    pool = freshBytes(POOL_BYTES);
    used = 0;
  }
  const bytes = pool.subarray(used, used + size);
  used += size;
  return bytes;
}
