/**
 * The messages of the benchmark. Every message says twice which one it is, in its recipient and in its first header field, and all that follows is
 * the same in every message of a run. So a sink can tell lost, duplicated, swapped and altered messages apart with one number for each run.
 */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ID_FIELD = 'X-Bench-Id: ';
const RECIPIENT_DOMAIN = 'sink.example';
const LINE = 'The quick brown fox jumps over the lazy dog 0123456789 and runs off again.  \r\n';
/** Below this there is no room for the header. */
export const MIN_SIZE_BYTES = 512;

/** Distinguishes the messages of one run from late ones of another. */
export const newRunId = () => randomBytes(6).toString('hex');

export const senderAddress = 'author@source.example';
export const recipientOf = (runId, number) => `${number}.${runId}@${RECIPIENT_DOMAIN}`;

/** The number of a recipient of this run; -1 for any other. */
export function numberOf(address, runId) {
  const [, number, id] = /^(\d+)\.([0-9a-f]+)@/.exec(address) ?? [];
  return id === runId ? Number(number) : -1;
}

/** The first header field; always of the same length. */
const idLine = (runId, number) => `${ID_FIELD}${runId}.${String(number).padStart(8, '0')}\r\n`;

/** The messages of a run of `sizeBytes` each (header and body, CRLF line ends). */
export class MessageKind {
  #rest;
  #wireRest;

  constructor(runId, sizeBytes) {
    this.runId = runId;
    this.#rest = restOf(sizeBytes - idLine(runId, 0).length);
    // RFC 5321 §4.5.2: a line that begins with a dot gets another one.
    this.#wireRest = Buffer.from(this.#rest.replaceAll('\r\n.', '\r\n..'), 'latin1');
  }

  /** CRC-32 of what follows the first field, in the form it has between DATA and the final dot. */
  get wireCrc() {
    return crc32(this.#wireRest);
  }

  text(number) {
    return idLine(this.runId, number) + this.#rest;
  }

  /** As it follows DATA, with the final dot. */
  wire(number) {
    return Buffer.concat([Buffer.from(idLine(this.runId, number), 'latin1'), this.#wireRest, FINAL_DOT]);
  }
}

const FINAL_DOT = Buffer.from('.\r\n');

function restOf(sizeBytes) {
  let text = [
    `From: <${senderAddress}>`,
    `To: <everybody@${RECIPIENT_DOMAIN}>`,
    'Subject: one of many',
    `Message-ID: <bench@source.example>`,
    'Date: Thu, 01 Jan 2026 00:00:00 +0000',
    'MIME-Version: 1.0',
    'Content-Type: text/plain',
    '',
    '.A line that begins with a dot.',
    '',
  ].join('\r\n');
  text += LINE.repeat(Math.max(0, Math.floor((sizeBytes - text.length - 2) / LINE.length)));
  return `${text}${'x'.repeat(sizeBytes - text.length - 2)}\r\n`;
}

const ID_FIELD_BYTES = Buffer.from(`${ID_FIELD}`);
const HEADER_BYTES_MAX = 65_536;

/** Reads one message as it arrives, in any pieces: which one it says it is, and the CRC-32 of what follows. */
export class MessageReader {
  #head = [];
  #headBytes = 0;
  id = undefined;
  crc = 0;

  push(bytes) {
    if (this.id !== undefined) {
      this.crc = crc32(bytes, this.crc);
      return;
    }
    if (this.#headBytes > HEADER_BYTES_MAX) return;
    // What comes from a socket is overwritten by what follows.
    this.#head.push(Buffer.from(bytes));
    this.#headBytes += bytes.length;
    const head = this.#head.length === 1 ? this.#head[0] : Buffer.concat(this.#head);
    const start = head.indexOf(ID_FIELD_BYTES);
    const end = start === -1 ? -1 : head.indexOf('\r\n', start);
    this.#head = [head];
    if (end === -1) return;
    this.id = head.latin1Slice(start + ID_FIELD_BYTES.length, end);
    this.crc = crc32(head.subarray(end + 2));
    this.#head = [];
  }

  /** The number of a message of this run; -1 for any other. */
  number(runId) {
    const [id, number] = (this.id ?? '').split('.');
    return id === runId ? Number(number) : -1;
  }
}
