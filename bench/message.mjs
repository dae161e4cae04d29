/**
 * The messages of the benchmark. Every message says which one it is in its recipients, in its first header field, and at the start of every 4 KB of its
 * body; all else is the same in every message of a run. So a sink can tell lost, duplicated, swapped and altered messages apart, also those that
 * have a piece of another one in them, with one number for each run.
 */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { DIGITS, PLACE } from './stamp.mjs';

export const ID_FIELD = 'X-Bench-Id: ';
export const senderAddress = 'author@source.example';
const RECIPIENT_DOMAIN = 'sink.example';
const LINE = 'The quick brown fox jumps over the lazy dog 0123456789 and runs off again.  \r\n';
/** From one place of the number in the body to the next. */
const BLOCK_BYTES = 4096;
const BLOCK_LINES = Math.floor((BLOCK_BYTES - DIGITS) / LINE.length);
const BLOCK_START = `${PLACE} ${'-'.repeat(BLOCK_BYTES - BLOCK_LINES * LINE.length - DIGITS - 3)}\r\n`;
const BLOCK = BLOCK_START + LINE.repeat(BLOCK_LINES);
const HEAD = [
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
/** As it goes over the wire: dots doubled (RFC 5321 §4.5.2). */
const onWire = (text) => text.replaceAll('\r\n.', '\r\n..');
/** Where the number stands in what follows the first field, on the wire: there first, and then again and again after so many bytes. */
export const places = { first: onWire(HEAD).length, step: BLOCK_BYTES };
/** Below this there is no room for the header. */
export const MIN_SIZE_BYTES = 512;

/** Distinguishes the messages of one run from late ones of another. */
export const newRunId = () => randomBytes(6).toString('hex');

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
  /** What goes over the wire after the first field. */
  #wireRest;
  #wire;

  constructor(runId, sizeBytes) {
    this.runId = runId;
    this.#rest = restOf(sizeBytes - this.#idLine.length);
    this.#wireRest = onWire(this.#rest);
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

  /** As it follows DATA, with the final dot; made once. */
  get wire() {
    this.#wire ??= Buffer.from(`${this.#idLine}${this.#wireRest}.\r\n`, 'latin1');
    return this.#wire;
  }

  /** CRC-32 of what follows the first header field, as on the wire and without the number: that is how the sink sees it. */
  get crc() {
    return crc32(this.#wireRest);
  }
}

function restOf(sizeBytes) {
  const roomBytes = sizeBytes - HEAD.length - 2;
  const blocks = BLOCK.repeat(Math.floor(roomBytes / BLOCK_BYTES));
  const leftBytes = roomBytes - blocks.length;
  if (leftBytes < BLOCK_START.length) return `${HEAD}${blocks}${'x'.repeat(leftBytes)}\r\n`;
  const lines = BLOCK_START + LINE.repeat(Math.floor((leftBytes - BLOCK_START.length) / LINE.length));
  return `${HEAD}${blocks}${lines}${'x'.repeat(leftBytes - lines.length)}\r\n`;
}
