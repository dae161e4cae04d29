/**
 * One SMTP connection of the sink, on a bare socket: it takes everything, looks at bytes once, and answers all commands of a packet in one. It must need
 * as little CPU as can be, because it shares the machine with what is measured.
 */
import { ArrivingMessage } from './arriving-message.mjs';
import { numberOf } from './message.mjs';

const LF = 0x0a;
const CR = 0x0d;
const DOT = 0x2e;
const END_OF_DATA = Buffer.from('\r\n.\r\n');
const HELLO = ['PIPELINING', '8BITMIME', 'ENHANCEDSTATUSCODES', 'SMTPUTF8', 'SIZE 0'];
const EHLO_REPLY = `250-sink.example\r\n${HELLO.map((word, i) => `250${i === HELLO.length - 1 ? ' ' : '-'}${word}`).join('\r\n')}\r\n`;

/** The first letter of a command in upper case tells which one it is; RCPT and RSET by the second. */
const letter = (line, at) => line.charCodeAt(at) & 0xdf;

export class SinkSession {
  #socket;
  #far;
  /** What the last packet left undecided: a part of a command, or of what may be the end of the message. */
  #rest;
  #rcptNumbers = [];
  #message;
  #isAtStart = false;
  #replies = '';

  /** `far` is what is behind it: `runId`, and `onMessage(rcptNumbers, message)`, which returns the reply to the final dot and how many ms later it comes. */
  constructor(socket, far) {
    this.#socket = socket;
    this.#far = far;
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => this.#read(chunk));
    socket.write('220 sink.example ESMTP\r\n');
  }

  #read(chunk) {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    let at = 0;
    while (at < bytes.length && this.#rest === undefined) {
      at = this.#message === undefined ? this.#command(bytes, at) : this.#content(bytes, at);
    }
    this.#flush();
  }

  #flush() {
    if (this.#replies === '' || this.#socket.destroyed) return;
    const replies = this.#replies;
    this.#replies = '';
    this.#socket.write(replies, 'latin1');
  }

  /** Both return where to go on, and leave `#rest` when that is in the next packet. */
  #command(bytes, at) {
    const end = bytes.indexOf(LF, at);
    if (end === -1) {
      this.#rest = bytes.subarray(at);
      return at;
    }
    this.#replies += this.#answer(bytes.latin1Slice(at, end));
    return end + 1;
  }

  #answer(line) {
    switch (letter(line, 0)) {
      case 0x4d: // MAIL
        this.#rcptNumbers = [];
        return '250 2.1.0 Ok\r\n';
      case 0x52: // RCPT, RSET
        if (letter(line, 1) === 0x43) this.#rcptNumbers.push(numberOf(line, this.#far.runId));
        else this.#rcptNumbers = [];
        return '250 2.1.5 Ok\r\n';
      case 0x44: // DATA
        this.#message = new ArrivingMessage(this.#far.runId);
        this.#isAtStart = true;
        return '354 go on\r\n';
      case 0x45: // EHLO
        return EHLO_REPLY;
      case 0x51: // QUIT
        this.#socket.end(`${this.#replies}221 2.0.0 Bye\r\n`);
        this.#replies = '';
        return '';
      default: // HELO, NOOP
        return '250 2.0.0 Ok\r\n';
    }
  }

  #content(bytes, at) {
    if (this.#isAtStart) {
      // An empty message is nothing but its final dot.
      if (bytes.length - at < 3) {
        this.#rest = bytes.subarray(at);
        return at;
      }
      this.#isAtStart = false;
      if (bytes[at] === DOT && bytes[at + 1] === CR && bytes[at + 2] === LF) return this.#finish(at + 3);
    }
    const end = bytes.indexOf(END_OF_DATA, at);
    if (end !== -1) {
      this.#message.push(bytes.subarray(at, end + 2));
      return this.#finish(end + END_OF_DATA.length);
    }
    const undecided = Math.max(at, bytes.length - END_OF_DATA.length + 1);
    if (undecided > at) this.#message.push(bytes.subarray(at, undecided));
    this.#rest = Buffer.from(bytes.subarray(undecided));
    return undecided;
  }

  #finish(next) {
    const { reply, delayMs } = this.#far.onMessage(this.#rcptNumbers, this.#message);
    this.#message = undefined;
    this.#rcptNumbers = [];
    if (delayMs === 0) {
      this.#replies += reply;
    } else {
      setTimeout(() => {
        this.#replies += reply;
        this.#flush();
      }, delayMs);
    }
    return next;
  }
}
