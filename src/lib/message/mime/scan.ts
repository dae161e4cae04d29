/** Scans a whole body for its structure. */
import type { Body } from '../../core/body.ts';
import type { MimePart } from './part.ts';
import { MimeScanner, type ScanOptions } from './scanner.ts';

/** Bodies that come in crumbs are scanned in slices of this size: each call of the scanner has a price. */
const SLICE_BYTES = 64 * 1024;

/** Reads the body once. Never throws for what is in the message, only for what reading the body throws. */
export async function scanMime(body: Body, options?: ScanOptions): Promise<MimePart> {
  const scanner = new MimeScanner(options);
  let crumbs: Buffer[] = [];
  let crumbBytes = 0;
  for await (const chunk of body.chunks()) {
    if (crumbBytes + chunk.length < SLICE_BYTES) {
      crumbs.push(Buffer.from(chunk));
      crumbBytes += chunk.length;
      continue;
    }
    scanner.write(crumbs.length === 0 ? chunk : Buffer.concat([...crumbs, chunk]));
    crumbs = [];
    crumbBytes = 0;
  }
  if (crumbs.length > 0) scanner.write(Buffer.concat(crumbs));
  return scanner.end();
}
