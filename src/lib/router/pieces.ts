/** Cuts an upload into the pieces that are stored one after the other; only the last one says that the blob is complete. */
import type { UploadAsk } from '../http/service.ts';
import type { BlobPiece } from '../store/store.ts';

/** Yields at least one piece, also for an empty upload, because an empty message is a message. */
export async function* inPieces(ask: UploadAsk, pieceBytes: number): AsyncGenerator<BlobPiece> {
  let offset = ask.offset;
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of ask.bytes) {
    // A full piece is only let go when more follows: the last piece carries the total.
    if (heldBytes >= pieceBytes) {
      yield { offset, bytes: Buffer.concat(held) };
      offset += heldBytes;
      held = [];
      heldBytes = 0;
    }
    held.push(chunk);
    heldBytes += chunk.length;
  }
  const total = ask.whole ? offset + heldBytes : ask.total;
  yield { offset, bytes: Buffer.concat(held), ...(total !== undefined && { total }) };
}
