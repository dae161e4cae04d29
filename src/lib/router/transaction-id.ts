/** The REST id of a transaction: opaque to clients, unguessable, URL-safe. */
import type { Rng } from '../core/deps.ts';

/** `entropy` random bytes as unpadded URL-safe base64 (16 bytes: 22 characters). */
export function newTransactionId(rng: Rng, entropy: number): string {
  return rng.bytes(entropy).toString('base64url');
}

/** The id of a conversation, which is in the memory of one router only: it ends in the session of that router, for the others to find it. */
export function newConversationId(rng: Rng, entropy: number, sessionId: string | undefined): string {
  const id = newTransactionId(rng, entropy);
  return sessionId === undefined ? id : `${id}~${sessionId}`;
}

/** The session that is named in the id of a conversation. */
export function sessionOf(id: string): string | undefined {
  return /~(\d{1,19})$/.exec(id)?.[1];
}
