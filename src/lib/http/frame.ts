/**
 * Requests and answers of HTTP as frames on one connection. A message between two Koukans takes five small requests, and most of what such a
 * request costs is not the request: a write, a read and a wake-up at each end, and a head of HTTP each way. On one connection those of many
 * messages travel together. What a frame says is what the request would have said; see `docs/rest-api.md`.
 *
 *   length (4 bytes, of what follows) · id (4 bytes) · kind (1 byte) · length of the head (2 bytes) · head · entity
 *
 * The head is `POST /path` or `201`, then a line `name: value` for each header but Content-Length, divided by LF.
 */
import { limits } from '../core/limits.ts';

/** How a server says that it takes frames: a header of its answers. */
export const FRAMES_HEADER = 'koukan-frames';
/** The version of their form. */
export const FRAMES = '1';
/**
 * What a client connects to (CONNECT, RFC 9110 §9.3.6) to speak them. An Upgrade would be the other way, but a server of node that listens for
 * one cannot ignore those to other protocols, which some clients ask for with every request.
 */
export const FRAMES_TARGET = 'koukan-frames:1';

/** A cancel is answered, too: so the client knows that the connection is alive. */
export const kinds = { request: 0, answer: 1, cancel: 2, cancelled: 3 } as const;

export interface Frame {
  readonly id: number;
  readonly kind: number;
  /** The first line of the head, and its headers. */
  readonly start: string;
  readonly headers: Record<string, string>;
  readonly entity: Buffer;
}

/** The peer does not keep to the form of frames; the connection is of no use any more. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

const PREFIX_BYTES = 11;
const NAME = /^[a-z\d-]{1,64}$/;
/** Known without a look at their letters. */
const USUAL_NAMES: ReadonlySet<string> = new Set([
  'authorization',
  'content-type',
  'etag',
  'if-match',
  'koukan-dsn',
  'location',
  'prefer',
  'preference-applied',
]);
const NOTHING = Buffer.alloc(0);
const BREAKS = /[\r\n\0]/;

/** The bytes of a frame. Throws `FrameError` when a header would say more than one line. */
export function encodeFrame(
  id: number,
  kind: number,
  start: string,
  headers: Readonly<Record<string, string | number>>,
  entity: Buffer | string,
): Buffer {
  let head = start;
  for (const name in headers) {
    // The length of the frame says it.
    if (name === 'content-length') continue;
    const value = String(headers[name]);
    if (BREAKS.test(value)) throw new FrameError(`the header ${name} has more than one line`);
    head += `\n${name}: ${value}`;
  }
  const entityBytes = typeof entity === 'string' ? Buffer.byteLength(entity) : entity.length;
  if (head.length > limits.restHeaderBytes) throw new FrameError('the head is too long');
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + head.length + entityBytes);
  bytes.writeUInt32BE(bytes.length - 4, 0);
  bytes.writeUInt32BE(id, 4);
  bytes[8] = kind;
  bytes.writeUInt16BE(head.length, 9);
  bytes.write(head, PREFIX_BYTES, 'latin1');
  const at = PREFIX_BYTES + head.length;
  if (typeof entity === 'string') bytes.write(entity, at, 'utf8');
  else entity.copy(bytes, at);
  return bytes;
}

/** Takes what comes from a connection and gives it out frame by frame. */
export class FrameReader {
  readonly #maxBytes: number;
  /** The beginning of a frame that is not there whole. */
  #rest: Buffer = NOTHING;

  /** `maxBytes`: what a frame may have. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The frames that are complete now. Throws `FrameError`. */
  read(chunk: Buffer): readonly Frame[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    let at = 0;
    while (bytes.length - at >= 4) {
      const size = bytes.readUInt32BE(at);
      if (size < PREFIX_BYTES - 4 || size > this.#maxBytes) throw new FrameError('a frame of that size is not allowed');
      if (bytes.length - at - 4 < size) break;
      frames.push(decode(bytes.subarray(at + 4, at + 4 + size)));
      at += 4 + size;
    }
    this.#rest = at === bytes.length ? NOTHING : bytes.subarray(at);
    return frames;
  }
}

function decode(bytes: Buffer): Frame {
  const headLength = bytes.readUInt16BE(5);
  const at = 7 + headLength;
  if (at > bytes.length || headLength > limits.restHeaderBytes) throw new FrameError('a head is longer than its frame');
  const head = bytes.toString('latin1', 7, at);
  const end = lineEnd(head, 0);
  const headers = readHeaders(head, end);
  return {
    id: bytes.readUInt32BE(0),
    kind: bytes[4] as number,
    start: head.slice(0, end),
    headers,
    entity: bytes.subarray(at),
  };
}

/** The lines of a head after the first one, which ends at `end`. */
function readHeaders(head: string, end: number): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let from = end + 1; from <= head.length; ) {
    const to = lineEnd(head, from);
    const colon = head.indexOf(': ', from);
    const name = head.slice(from, colon);
    if (colon <= from || colon >= to || !(USUAL_NAMES.has(name) || NAME.test(name))) {
      throw new FrameError('a line of a head is no header');
    }
    headers[name] = head.slice(colon + 2, to);
    from = to + 1;
  }
  return headers;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}
