/** Messages for tests: the fixtures, and bodies that come in pieces of any size. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Body } from '../../src/lib/core/body.ts';

const FOLDER = fileURLToPath(new URL('../fixtures/messages/', import.meta.url));

/** The bytes of `test/fixtures/messages/NAME.eml`. */
export function fixture(name: string): Buffer {
  return readFileSync(`${FOLDER}${name}.eml`);
}

export const fixtureNames: readonly string[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.eml'))
  .map((file) => file.slice(0, -'.eml'.length));

/** A body that is not in memory as a whole; each piece is wiped once the next one is asked for, as a reused buffer would be. */
export function piecewise(bytes: Buffer, pieceBytes: number): Body {
  return {
    size: bytes.length,
    async *chunks() {
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        const piece = Buffer.from(bytes.subarray(at, at + pieceBytes));
        yield piece;
        piece.fill(0);
      }
    },
    retain: () => () => undefined,
  };
}

/** All bytes of a body, copied while they are valid. */
export async function bytesOf(body: Body): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const chunk of body.chunks()) pieces.push(Buffer.from(chunk));
  return Buffer.concat(pieces);
}
