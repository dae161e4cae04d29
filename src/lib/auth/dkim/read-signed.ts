/** One pass over a message that may be signed: its header, and the hashes that the signatures in that header need of its body. */
import type { Body } from '../../core/body.ts';
import { limits } from '../../core/limits.ts';
import { blankLine } from '../../message/headers.ts';
import { type BodyHashAsk, BodyHashes, type HashedBody } from './body-hashes.ts';
import { type RawField, rawFields } from './raw-field.ts';

export interface ReadSigned<T> {
  /** Up to the blank line, which is not included. */
  readonly headerBlock: Buffer;
  readonly fields: readonly RawField[];
  /** What `plan` made of the fields. */
  readonly planned: T;
  readonly bodyHash: (ask: BodyHashAsk) => HashedBody | undefined;
}

/**
 * Reads the header, asks `plan` which hashes are needed, and reads the rest for them, or not at all when none is. `undefined`: the header is
 * larger than `limits.messageHeaderBytes`, and nobody has to look through that.
 */
export async function readSigned<T>(
  body: Body,
  plan: (fields: readonly RawField[]) => { readonly planned: T; readonly hashes: readonly BodyHashAsk[] },
): Promise<ReadSigned<T> | undefined> {
  let head: Buffer = Buffer.alloc(0);
  let begun: { readonly read: Omit<ReadSigned<T>, 'bodyHash'>; readonly hashes: BodyHashes } | undefined;
  const begin = (headerBlock: Buffer): NonNullable<typeof begun> => {
    const fields = rawFields(headerBlock);
    const { planned, hashes } = plan(fields);
    return { read: { headerBlock, fields, planned }, hashes: new BodyHashes(hashes) };
  };
  for await (const chunk of body.chunks()) {
    if (begun !== undefined) {
      begun.hashes.update(chunk);
      continue;
    }
    const from = Math.max(0, head.length - 3);
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const blank = blankLine(head, from);
    if ((blank?.at ?? head.length) > limits.messageHeaderBytes) return undefined;
    if (blank === undefined) continue;
    begun = begin(head.subarray(0, blank.at));
    if (begun.hashes.isEmpty) break;
    begun.hashes.update(head.subarray(blank.at + blank.length));
  }
  // A message without a blank line is all header.
  const { read, hashes } = begun ?? begin(head);
  return { ...read, bodyHash: hashes.finish() };
}
