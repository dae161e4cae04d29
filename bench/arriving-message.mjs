/** What the sink looks at in a message while it comes in: which message of the run it says it is, and a checksum of the rest. Nothing is kept. */
import { crc32 } from 'node:zlib';
import { ID_FIELD } from './message.mjs';

const FIELD = Buffer.from(ID_FIELD);
const LINE_END = Buffer.from('\r\n');
/** Relays put their own header fields before ours; more than this is none. */
const HEAD_MAX_BYTES = 65_536;

export class ArrivingMessage {
  #runId;
  #head;
  #isPastId = false;
  /** -1: it says of no message of this run that it is it. */
  number = -1;
  /** CRC-32 of what follows the field that says which one it is, as on the wire (dots doubled). */
  crc = 0;

  constructor(runId) {
    this.#runId = runId;
  }

  /** Bytes between DATA and the final dot, in order. They are not kept. */
  push(bytes) {
    if (this.#isPastId) this.crc = crc32(bytes, this.crc);
    else this.#find(this.#head === undefined ? bytes : Buffer.concat([this.#head, bytes]));
  }

  #find(head) {
    const start = head.indexOf(FIELD);
    const end = start === -1 ? -1 : head.indexOf(LINE_END, start);
    if (end === -1) {
      this.#head = head.length < HEAD_MAX_BYTES ? Buffer.from(head) : Buffer.alloc(0);
      return;
    }
    this.#isPastId = true;
    this.#head = undefined;
    const [id, number] = head.latin1Slice(start + FIELD.length, end).split('.');
    if (id === this.#runId) this.number = Number(number);
    this.crc = crc32(head.subarray(end + 2));
  }
}
