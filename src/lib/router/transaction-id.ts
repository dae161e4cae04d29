/** The REST id of a transaction: opaque, unguessable, URL-safe. */
import type { Rng } from '../core/deps.ts';

/** `entropy` random bytes as unpadded URL-safe base64 (16 bytes: 22 characters). */
export function newTransactionId(rng: Rng, entropy: number): string {
  return rng.bytes(entropy).toString('base64url');
}
