/**
 * A PUT as what a service is asked: which bytes go where (protocol §1.6). The entity is counted while it streams, because neither
 * Content-Length nor Content-Range can be believed.
 */
import type { IncomingMessage } from 'node:http';
import { limits } from '../core/limits.ts';
import { parseContentRange } from './content-range.ts';
import { RequestProblem, type UploadAsk } from './service.ts';

const LENGTH = /^\d{1,15}$/;

/** Reads the headers of an upload; throws `RequestProblem` 400 or 413 before anything of the entity is read. */
export function readUpload(request: IncomingMessage, blobBytesMax: number): UploadAsk {
  const { headers } = request;
  const declared = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  const finalLength = headers['x-finalize-blob-length'];
  if (finalLength !== undefined) return finalizeOnly(request, String(finalLength), declared);
  const range = headers['content-range'];
  if (range !== undefined) return ranged(request, String(range), declared, blobBytesMax);
  if (declared !== undefined && declared > blobBytesMax) throw tooLarge(blobBytesMax);
  return {
    offset: 0,
    ...(declared !== undefined && { total: declared }),
    whole: true,
    bytes: counted(request, declared, blobBytesMax),
  };
}

/** Reads and drops what still comes of a refused upload, so that a client that only reads at the end gets the answer; up to a limit. */
export function discardRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  let size = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > limits.refusedUploadBytes) request.destroy();
  });
  request.on('error', () => undefined); // the client may go away now: it has been answered
  request.resume();
}

function finalizeOnly(request: IncomingMessage, length: string, declared: number | undefined): UploadAsk {
  if (!LENGTH.test(length)) throw new RequestProblem(400, 'invalid x-finalize-blob-length');
  if (declared !== undefined && declared > 0) {
    throw new RequestProblem(400, 'x-finalize-blob-length with non-empty PUT');
  }
  return { offset: Number(length), total: Number(length), whole: false, bytes: counted(request, 0, 0) };
}

function ranged(
  request: IncomingMessage,
  header: string,
  declared: number | undefined,
  blobBytesMax: number,
): UploadAsk {
  const range = parseContentRange(header);
  if (range === undefined) throw new RequestProblem(400, 'bad range');
  const { start, end, total } = range;
  if (declared !== undefined && declared !== end - start) {
    throw new RequestProblem(400, 'content-range and content-length disagree');
  }
  if (Math.max(end, total ?? 0) > blobBytesMax) throw tooLarge(blobBytesMax);
  return {
    offset: start,
    ...(total !== undefined && { total }),
    whole: false,
    bytes: counted(request, end - start, blobBytesMax),
  };
}

function tooLarge(blobBytesMax: number): RequestProblem {
  return new RequestProblem(413, `larger than ${blobBytesMax} bytes`);
}

async function* counted(
  request: IncomingMessage,
  exactly: number | undefined,
  atMost: number,
): AsyncGenerator<Buffer, void> {
  // What was sent together with the head is there one turn later, and then no stream has to be walked. Where a length is declared, nothing can
  // come after it, although the parser has not said yet that it was all.
  await Promise.resolve();
  const isAll = request.complete || request.headers['content-length'] !== undefined;
  if (isAll && exactly !== undefined && request.readableLength === exactly) {
    const bytes = request.read() as Buffer | null;
    if (bytes !== null) yield bytes;
    return;
  }
  let size = 0;
  try {
    // The request must survive an early end, because the answer goes over the same socket.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (exactly !== undefined && size > exactly) throw new RequestProblem(400, 'longer than declared');
      if (size > atMost) throw tooLarge(atMost);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof RequestProblem) throw error;
    throw new RequestProblem(400, 'the connection ended before the upload did');
  }
  if (exactly !== undefined && size < exactly) throw new RequestProblem(400, 'shorter than declared');
}
