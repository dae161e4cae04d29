/**
 * Cuts bytes into the pieces in which they are stored. Each piece is the sole owner of its memory: handing a view to another thread copies
 * all of the memory it looks at, which for a slice of a large message is the whole message.
 */
import type { Body } from '../core/body.ts';
import { limits } from '../core/limits.ts';

/** The same for who copies them into memory of his own: the pieces are views of the bytes. */
export function viewsOf(bytes: Buffer): Uint8Array[] {
  const views: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += limits.blobChunkBytes) {
    views.push(bytes.subarray(at, at + limits.blobChunkBytes));
  }
  return views;
}

export function storableChunks(bytes: Buffer): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += limits.blobChunkBytes) {
    const piece = bytes.subarray(at, at + limits.blobChunkBytes);
    chunks.push(piece.byteLength === piece.buffer.byteLength ? piece : new Uint8Array(piece));
  }
  return chunks;
}

/** A body in groups of storable pieces, each group but the last of `limits.blobWriteBytes`: what one commit takes. */
export async function* chunkGroups(body: Body): AsyncGenerator<Uint8Array[]> {
  let group: Uint8Array[] = [];
  for await (const piece of evenPieces(body)) {
    group.push(piece);
    if (group.length * limits.blobChunkBytes < limits.blobWriteBytes) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/** Whatever the sizes of the chunks a body is read in, the stored pieces are all of one size, but the last. */
async function* evenPieces(body: Body): AsyncGenerator<Uint8Array> {
  let piece = new Uint8Array(limits.blobChunkBytes);
  let filled = 0;
  for await (const bytes of body.chunks()) {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + piece.length - filled);
      piece.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < piece.length) continue;
      yield piece;
      piece = new Uint8Array(limits.blobChunkBytes);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.slice(0, filled);
}
