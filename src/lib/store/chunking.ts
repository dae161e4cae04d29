/** Cuts bytes into the pieces in which they are stored. */
import type { Body } from '../core/body.ts';
import { limits } from '../core/limits.ts';

/**
 * Pieces of at most `limits.blobChunkBytes`, each the sole owner of its memory: handing a view to another thread copies all of the memory
 * it looks at, which for a slice of a large message is the whole message.
 */
export function storableChunks(bytes: Buffer): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += limits.blobChunkBytes) {
    const piece = bytes.subarray(at, at + limits.blobChunkBytes);
    chunks.push(piece.byteLength === piece.buffer.byteLength ? piece : new Uint8Array(piece));
  }
  return chunks;
}

/** A body in groups of storable pieces, each group (but the last) of about `limits.blobWriteBytes`: what one commit takes. */
export async function* chunkGroups(body: Body): AsyncGenerator<Uint8Array[]> {
  let group: Buffer[] = [];
  let sizeBytes = 0;
  for await (const bytes of body.chunks()) {
    for (let at = 0; at < bytes.length; at += limits.blobWriteBytes) {
      const piece = bytes.subarray(at, at + limits.blobWriteBytes);
      if (sizeBytes + piece.length > limits.blobWriteBytes) {
        yield storableChunks(Buffer.concat(group));
        group = [];
        sizeBytes = 0;
      }
      group.push(piece);
      sizeBytes += piece.length;
    }
  }
  if (sizeBytes > 0) yield storableChunks(Buffer.concat(group));
}
