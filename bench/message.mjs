/**
 * The messages of the benchmark. Every message says twice which one it is, in its recipient and in its first header field, and all that follows is
 * the same in every message of a run. So a sink can tell lost, duplicated, swapped and altered messages apart with one number for each run.
 */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ID_FIELD = 'X-Bench-Id: ';
const RECIPIENT_DOMAIN = 'sink.example';
const LINE = 'The quick brown fox jumps over the lazy dog 0123456789 and runs off again.  \r\n';
const FINAL_DOT = Buffer.from('.\r\n');
/** Below this there is no room for the header. */
export const MIN_SIZE_BYTES = 512;

/** Distinguishes the messages of one run from late ones of another. */
export const newRunId = () => randomBytes(6).toString('hex');

export const senderAddress = 'author@source.example';
export const recipientOf = (runId, number) => `${number}.${runId}@${RECIPIENT_DOMAIN}`;

/** The number in a recipient of this run; -1 of any other. */
export function numberOf(address, runId) {
  const [, number, id] = /^(\d+)\.([0-9a-f]+)@/.exec(address) ?? [];
  return id === runId ? Number(number) : -1;
}

/** Always of the same length. */
const idLine = (runId, number) => `${ID_FIELD}${runId}.${String(number).padStart(8, '0')}\r\n`;

/** The messages of one run, each of `sizeBytes` (header and body, CRLF line ends). */
export class MessageKind {
  #rest;
  #wireRest;

  constructor(runId, sizeBytes) {
    this.runId = runId;
    this.#rest = restOf(sizeBytes - idLine(runId, 0).length);
    // RFC 5321 §4.5.2: a line that begins with a dot gets another one.
    this.#wireRest = Buffer.from(this.#rest.replaceAll('\r\n.', '\r\n..'), 'latin1');
  }

  /** CRC-32 of what follows the first header field. */
  get crc() {
    return crc32(this.#rest);
  }

  text(number) {
    return idLine(this.runId, number) + this.#rest;
  }

  /** As it follows DATA: dots doubled, and the final one. */
  wire(number) {
    return Buffer.concat([Buffer.from(idLine(this.runId, number), 'latin1'), this.#wireRest, FINAL_DOT]);
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

/** Which message of the run this says it is (-1: none), and the CRC-32 of what follows. Relays put their own header fields before ours. */
export function numberInMessage(bytes, runId) {
  const start = bytes.indexOf(ID_FIELD);
  const end = bytes.indexOf('\r\n', start);
  if (start === -1 || end === -1) return { number: -1, crc: 0 };
  const [id, number] = bytes.latin1Slice(start + ID_FIELD.length, end).split('.');
  return { number: id === runId ? Number(number) : -1, crc: crc32(bytes.subarray(end + 2)) };
}
