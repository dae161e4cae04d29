/** One pass over a message: its header block, and the hash of its body. */
import type { Body } from '../../core/body.ts';
import { limits } from '../../core/limits.ts';
import { type BodyCanonicalization, bodyHash } from './body-hash.ts';
import { WireLines } from './wire-lines.ts';

export interface ReadMessage {
  /** Up to the blank line, which is not included. */
  readonly headerBlock: Buffer;
  /** Base64 of the SHA-256 of the canonical body. */
  readonly bodyHash: string;
}

/** `undefined`: the header is larger than `limits.messageHeaderBytes`, and no verifier would read it either. */
export async function readForSigning(body: Body, how: BodyCanonicalization): Promise<ReadMessage | undefined> {
  const hash = bodyHash(how);
  const lines = new WireLines((bytes) => hash.update(bytes));
  let head: Buffer = Buffer.alloc(0);
  let headerBlock: Buffer | undefined;
  for await (const chunk of body.chunks()) {
    if (headerBlock !== undefined) {
      lines.update(chunk);
      continue;
    }
    const from = Math.max(0, head.length - 3);
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const blank = blankLine(head, from);
    if (blank !== undefined) {
      headerBlock = head.subarray(0, blank.at);
      lines.update(head.subarray(blank.at + blank.length));
    } else if (head.length > limits.messageHeaderBytes) return undefined;
  }
  lines.end();
  return { headerBlock: headerBlock ?? head, bodyHash: hash.digest() };
}

/** Where the header ends, and how long the blank line after it is. */
function blankLine(bytes: Buffer, from: number): { at: number; length: number } | undefined {
  if (bytes[0] === 0x0a) return { at: 0, length: 1 };
  if (bytes[0] === 0x0d && bytes[1] === 0x0a) return { at: 0, length: 2 };
  const crlf = bytes.indexOf('\n\r\n', from, 'latin1');
  const lf = bytes.indexOf('\n\n', from, 'latin1');
  if (crlf !== -1 && (lf === -1 || crlf < lf)) return { at: crlf + 1, length: 2 };
  return lf === -1 ? undefined : { at: lf + 1, length: 1 };
}
