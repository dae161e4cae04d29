/**
 * Uploads a message, or a part of one, to a REST peer (protocol §1.6): in one PUT when it fits, else in ranges that the peer may tell to resume elsewhere. What a
 * peer does not understand (the example receiver knows no ranges) is sent again as one stream. Setbacks are counted and bounded.
 */
import { Readable } from 'node:stream';
import { type Body, bodyBytes } from '../core/body.ts';
import type { Clock } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import { BodyReader } from './body-reader.ts';
import { type ContentRange, formatContentRange, parseContentRange, parseUnsatisfiedRange } from './content-range.ts';
import type { Deadline } from './deadline.ts';
import type { PoolUse } from './http-client.ts';
import { type HttpAnswer, type HttpAsk, HttpTrouble, headerOf } from './request.ts';
import { TooLargeTrouble, UnreadableTrouble, UpstreamTrouble } from './upstream-trouble.ts';

export interface UploadTarget {
  readonly url: URL;
  readonly body: Body;
  readonly mediaType: string;
  /** Larger bodies are sent in ranges of this many bytes. */
  readonly chunkSize: number;
  /** The peer knows no ranges. */
  readonly isWholeOnly: boolean;
  /** What the request that completes the upload prefers (RFC 7240). */
  readonly prefer?: string;
  readonly deadline: Deadline;
}

export type Requester = (ask: HttpAsk) => Promise<HttpAnswer>;

const SETBACK_PAUSE_MS = 50;

/** Returns once the peer has the whole message, with its last answer if that says so; throws `UpstreamTrouble`, or `HttpTrouble` when the signal aborts. */
export async function uploadBody(
  request: Requester,
  clock: Clock,
  target: UploadTarget,
): Promise<HttpAnswer | undefined> {
  const { size, inMemory } = target.body;
  const reader = new BodyReader(target.body);
  let isWhole = target.isWholeOnly || size <= target.chunkSize;
  let isRefusingRanges = target.isWholeOnly;
  let offset = 0;
  // The end of the message was sent, and no answer says that it was not taken.
  let isOffered = false;
  try {
    for (let setbacks = 0; setbacks <= limits.uploadResyncs; ) {
      const end = Math.min(size, offset + target.chunkSize);
      const ask =
        isWhole && inMemory !== undefined
          ? put(target, inMemory)
          : await (isWhole ? wholePut(target) : rangePut(target, reader, offset, end)).catch(unreadable);
      const answer = await request(ask).catch(orLost);
      isOffered ||= (isWhole || end === size) && !isRefusal(answer);
      const stored = answer && storedRange(answer);
      if (answer?.status === 200) {
        if (isWhole || (end === size && stored === undefined) || isComplete(stored, size)) return answer;
        const reached = stored?.end ?? end;
        if (reached <= offset) setbacks += 1;
        offset = withinBody(reached, size);
        continue;
      }
      if (isComplete(stored, size)) return undefined; // a finalizing PUT whose answer was lost
      const status = answer?.status;
      if (status === 413) throw new TooLargeTrouble('blob upload error 413', { status });
      if (status === 416 && stored !== undefined && !isRefusingRanges) {
        offset = withinBody(stored.end, size);
        isWhole = false;
      } else if (status !== undefined && status < 500) {
        if (isWhole) throw new UpstreamTrouble(`blob upload error ${status}`, { status, isOffered });
        isWhole = true;
        isRefusingRanges = true;
      } else {
        await clock.sleep(SETBACK_PAUSE_MS * setbacks, target.deadline.signal);
      }
      setbacks += 1;
    }
    throw new UpstreamTrouble('blob upload error', { isOffered });
  } finally {
    if (inMemory === undefined) await reader.close();
  }
}

/** A lost connection is a setback like a 5xx, counted here and not hidden by a repetition below; only the deadline is final. */
function orLost(error: unknown): undefined {
  if (error instanceof HttpTrouble && error.code === 'network') return undefined;
  throw error;
}

function isRefusal(answer: HttpAnswer | undefined): boolean {
  return answer !== undefined && answer.status >= 400 && answer.status < 500;
}

/** Whatever the reason, it is none of the peer's. */
function unreadable(error: unknown): never {
  throw new UnreadableTrouble('the message could not be read', {
    detail: error instanceof Error ? error.message : String(error),
  });
}

async function wholePut(target: UploadTarget): Promise<HttpAsk> {
  const { body } = target;
  const isSmall = body.whole !== undefined || body.size <= limits.blobChunkBytes;
  return put(target, isSmall ? await bodyBytes(body) : () => Readable.from(body.chunks()));
}

function put({ url, body, mediaType, prefer, deadline }: UploadTarget, bytes: NonNullable<HttpAsk['body']>): HttpAsk {
  return {
    method: 'PUT',
    url,
    headers: { 'content-type': mediaType, 'content-length': String(body.size), ...preferring(prefer) },
    use: useFor(prefer),
    body: bytes,
    isOnce: true,
    signal: deadline,
  };
}

async function rangePut(
  { url, body, mediaType, prefer, deadline }: UploadTarget,
  reader: BodyReader,
  start: number,
  end: number,
): Promise<HttpAsk> {
  if (start === body.size) {
    const headers = { 'x-finalize-blob-length': String(body.size), ...preferring(prefer) };
    return { method: 'PUT', url, headers, use: useFor(prefer), isOnce: true, signal: deadline };
  }
  const last = end === body.size ? prefer : undefined;
  const range: ContentRange = { start, end, ...(end === body.size && { total: end }) };
  return {
    method: 'PUT',
    url,
    headers: { 'content-type': mediaType, 'content-range': formatContentRange(range), ...preferring(last) },
    use: useFor(last),
    body: await reader.read(start, end - start),
    isOnce: true,
    signal: deadline,
  };
}

function preferring(prefer: string | undefined): { readonly prefer?: string } {
  return prefer === undefined ? {} : { prefer };
}

/** An answer that may wait occupies its connection. */
function useFor(prefer: string | undefined): PoolUse {
  return prefer === undefined ? 'short' : 'poll';
}

/** What the peer says it has; `undefined` when it says nothing that makes sense. */
function storedRange(answer: HttpAnswer): ContentRange | undefined {
  const header = headerOf(answer, 'content-range');
  if (header === undefined) return undefined;
  if (parseUnsatisfiedRange(header) === 0) return { start: 0, end: 0 };
  const range = parseContentRange(header);
  return range?.start === 0 ? range : undefined;
}

function isComplete(stored: ContentRange | undefined, size: number): boolean {
  return stored !== undefined && stored.end === size && stored.total === size;
}

function withinBody(offset: number, size: number): number {
  if (offset > size) throw new UpstreamTrouble('blob upload error: more is stored than was sent');
  return offset;
}
