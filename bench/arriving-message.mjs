/**
 * What the sink looks at in a message while it comes in: which message of the run it says it is, whether it says so at every place of its body, and a
 * checksum of the rest. Nothing is kept.
 */
import { crc32 } from 'node:zlib';
import { ID_FIELD, places } from './message.mjs';
import { DIGITS, PLACE } from './stamp.mjs';

const FIELD = Buffer.from(ID_FIELD);
const FILLER = PLACE.charCodeAt(0);
const LINE_END = Buffer.from('\r\n');
/** Relays put their own header fields before ours; more than this is none. */
const HEAD_MAX_BYTES = 65_536;

export class ArrivingMessage {
  #runId;
  #head;
  #isPastId = false;
  #digits = '';
  /** How much of what follows the field has come, and where the next place is in that. */
  #at = 0;
  #place = places.first;
  /** -1: it says of no message of this run that it is it. */
  number = -1;
  /** CRC-32 of what follows the field that says which one it is, as on the wire (dots doubled), without the number in it; where another number stands than it should, that is in it. */
  crc = 0;

  constructor(runId) {
    this.#runId = runId;
  }

  /** Bytes between DATA and the final dot, in order. They are not kept, but written over. */
  push(bytes) {
    if (this.#isPastId) this.#add(bytes);
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
    this.#digits = number ?? '';
    this.#add(head.subarray(end + 2));
  }

  #add(bytes) {
    const end = this.#at + bytes.length;
    while (this.#place < end) {
      this.#clear(bytes, this.#place - this.#at);
      // The rest of it is in the next piece.
      if (this.#place + DIGITS > end) break;
      this.#place += places.step;
    }
    this.#at = end;
    this.crc = crc32(bytes, this.crc);
  }

  /** Puts what is the same in every message where its own number stands, so that all of it goes into one checksum. */
  #clear(bytes, place) {
    for (let i = Math.max(0, -place); i < DIGITS && place + i < bytes.length; i += 1) {
      if (bytes[place + i] === this.#digits.charCodeAt(i)) bytes[place + i] = FILLER;
    }
  }
}
