/**
 * The REST id of a transaction: opaque to clients, unguessable, URL-safe. Ids that are made one after the other are neighbours in the indexes
 * of a database, which so writes to a few pages, whatever its size; with ids that are random from their first letter on, each new row is in
 * pages of its own, and writing gets slower as the database grows.
 */
import type { Deps } from '../core/deps.ts';

/** Milliseconds since 1970 in base 36: enough until the year 5188. In digits and small letters, whose order is the same in every collation. */
const TIME_CHARS = 9;

/** The time, and `entropy` random bytes as unpadded URL-safe base64 (16 bytes: 22 characters). */
export function newTransactionId({ clock, rng }: Pick<Deps, 'clock' | 'rng'>, entropy: number): string {
  return timeText(Math.max(0, Math.trunc(clock.now()))) + rng.bytes(entropy).toString('base64url');
}

/** The newest time that was written, for all that is made in the same millisecond. */
let written = { ms: -1, text: '' };

function timeText(ms: number): string {
  if (ms !== written.ms) written = { ms, text: ms.toString(36).padStart(TIME_CHARS, '0') };
  return written.text;
}

/** The id of a conversation, which is in the memory of one router only: it ends in the session of that router, for the others to find it. */
export function newConversationId(
  deps: Pick<Deps, 'clock' | 'rng'>,
  entropy: number,
  sessionId: string | undefined,
): string {
  const id = newTransactionId(deps, entropy);
  return sessionId === undefined ? id : `${id}~${sessionId}`;
}

/** The session that is named in the id of a conversation. */
export function sessionOf(id: string): string | undefined {
  return /~(\d{1,19})$/.exec(id)?.[1];
}
