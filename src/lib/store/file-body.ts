/** A stored body that lies in a file: opened by each reader for itself, read piece by piece. */
import { open } from 'node:fs/promises';
import type { Body } from '../core/body.ts';
import { must } from '../core/errors.ts';
import { limits } from '../core/limits.ts';

/**
 * Reading rejects with the error of the file system when the file is gone, and before the first byte when it has another length than its row says:
 * then it is somebody else's, of a folder that does not belong to this database.
 */
export function fileBody(path: string, size: number): Body {
  async function* chunksFrom(first: number): AsyncGenerator<Buffer> {
    const file = await open(path, 'r');
    try {
      must((await file.stat()).size === size, 'a stored file is as long as its row says');
      for (let offset = first; offset < size; ) {
        const wanted = Math.min(limits.blobChunkBytes, size - offset);
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(wanted), 0, wanted, offset);
        must(bytesRead > 0, 'a stored file has all its bytes while its transaction lives');
        offset += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }
  return {
    size,
    chunks: () => chunksFrom(0),
    chunksFrom,
    // The bytes live as long as the transaction they belong to.
    retain: () => () => undefined,
  };
}
