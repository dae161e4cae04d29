/**
 * The messages of the benchmark. Every message says twice which one it is, in its recipients and in its first header field, and all that follows is
 * the same in every message of a run. So a sink can tell lost, duplicated, swapped and altered messages apart with one number for each run.
 */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { PLACE } from './stamp.mjs';

export const ID_FIELD = 'X-Bench-Id: ';
const RECIPIENT_DOMAIN = 'sink.example';
const LINE = 'The quick brown fox jumps over the lazy dog 0123456789 and runs off again.  \r\n';
/** Below this there is no room for the header. */
export const MIN_SIZE_BYTES = 512;

/** Distinguishes the messages of one run from late ones of another. */
export const newRunId = () => randomBytes(6).toString('hex');

export const senderAddress = 'author@source.example';

/** The number in a recipient of this run; -1 of any other. `text` may be a command or an address. */
export function numberOf(text, runId) {
  const at = text.indexOf('@');
  const dot = text.lastIndexOf('.', at);
  if (at === -1 || dot === -1 || text.slice(dot + 1, at) !== runId) return -1;
  return Number(text.slice(text.lastIndexOf('<', dot) + 1, dot));
}

/** The messages of one run, each of `sizeBytes` (header and body, CRLF line ends). Templates are for `Stamp`. */
export class MessageKind {
  #rest;
  /** As it goes over the wire after the first field: dots doubled (RFC 5321 §4.5.2). */
  #wireRest;

  constructor(runId, sizeBytes) {
    this.runId = runId;
    this.#rest = restOf(sizeBytes - this.#idLine.length);
    this.#wireRest = this.#rest.replaceAll('\r\n.', '\r\n..');
  }

  /** Always of the same length. */
  get #idLine() {
    return `${ID_FIELD}${this.runId}.${PLACE}\r\n`;
  }

  get recipient() {
    return `${PLACE}.${this.runId}@${RECIPIENT_DOMAIN}`;
  }

  get text() {
    return this.#idLine + this.#rest;
  }

  /** As it follows DATA, in two pieces: what has the number in it, and what all share, with the final dot. */
  get wire() {
    return { head: this.#idLine, rest: Buffer.from(`${this.#wireRest}.\r\n`, 'latin1') };
  }

  /** CRC-32 of what follows the first header field, as on the wire: that is how the sink sees it. */
  get crc() {
    return crc32(this.#wireRest);
  }
}

function restOf(sizeBytes) {
  const head = [
    `From: <${senderAddress}>`,
    `To: <everybody@${RECIPIENT_DOMAIN}>`,
    'Subject: one of many',
    'Message-ID: <bench@source.example>',
    'Date: Thu, 01 Jan 2026 00:00:00 +0000',
    'MIME-Version: 1.0',
    'Content-Type: text/plain',
    '',
    '.A line that begins with a dot.',
    '',
  ].join('\r\n');
  const lines = LINE.repeat(Math.floor((sizeBytes - head.length - 2) / LINE.length));
  return `${head}${lines}${'x'.repeat(sizeBytes - head.length - lines.length - 2)}\r\n`;
}
