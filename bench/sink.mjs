/**
 * The far end: an SMTP server that takes everything, as a process of its own. It looks at bytes in bulk and keeps nothing, so that it is not what is
 * measured. Its parent talks to it over IPC: `listen`, `start`, `count`, `report`.
 */
import { createServer } from 'node:net';
import { answerParent } from './child.mjs';
import { now } from './clock.mjs';
import { MessageReader, numberOf } from './message.mjs';
import { Tally } from './tally.mjs';

const EHLO = ['sink.example', 'PIPELINING', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES'];
const EHLO_REPLY = EHLO.map((word, i) => `250${i < EHLO.length - 1 ? '-' : ' '}${word}\r\n`).join('');
const END = Buffer.from('\r\n.\r\n');
const LF = 10;

let tally;
let cpuAtStart;

class Session {
  #socket;
  /** Undecided bytes of the last read: part of a command, or what may be the beginning of the final dot. */
  #rest;
  #rcpts = [];
  /** Set between DATA and the final dot. */
  #message;
  #out = '';

  constructor(socket) {
    this.#socket = socket;
    // A peer that goes away shows in the count.
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => this.#read(chunk));
    socket.write('220 sink.example ESMTP\r\n');
  }

  #read(chunk) {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    let at = 0;
    while (at < bytes.length && this.#rest === undefined) {
      at = this.#message === undefined ? this.#readCommand(bytes, at) : this.#readMessage(bytes, at);
    }
    if (this.#out === '') return;
    this.#socket.write(this.#out);
    this.#out = '';
  }

  #keep(bytes, at) {
    this.#rest = Buffer.from(bytes.subarray(at));
    return bytes.length;
  }

  #readCommand(bytes, at) {
    const end = bytes.indexOf(LF, at);
    if (end === -1) return this.#keep(bytes, at);
    this.#command(bytes.latin1Slice(at, end));
    return end + 1;
  }

  /** Our messages are never empty, so the final dot always follows a line end. */
  #readMessage(bytes, at) {
    const end = bytes.indexOf(END, at);
    if (end !== -1) {
      this.#message.push(bytes.subarray(at, end + 2));
      this.#finish();
      return end + END.length;
    }
    const safe = Math.max(at, bytes.length - END.length + 1);
    if (safe > at) this.#message.push(bytes.subarray(at, safe));
    return this.#keep(bytes, safe);
  }

  #command(line) {
    switch (line.slice(0, 4).toUpperCase()) {
      case 'EHLO':
        this.#out += EHLO_REPLY;
        return;
      case 'MAIL':
      case 'RSET':
        this.#rcpts = [];
        break;
      case 'RCPT':
        this.#rcpts.push(line.slice(line.indexOf('<') + 1, line.indexOf('>')));
        break;
      case 'DATA':
        this.#message = new MessageReader();
        this.#out += '354 go on\r\n';
        return;
      case 'QUIT':
        this.#socket.end(`${this.#out}221 2.0.0 bye\r\n`);
        this.#out = '';
        return;
    }
    this.#out += '250 2.0.0 ok\r\n';
  }

  #finish() {
    const at = now();
    const message = this.#message;
    this.#message = undefined;
    for (const rcpt of this.#rcpts) {
      if (tally === undefined) break;
      const rcptNumber = numberOf(rcpt, tally.runId);
      tally.deliver({ rcptNumber, contentNumber: message.number(tally.runId), crc: message.crc, at });
    }
    this.#out += '250 2.0.0 taken\r\n';
  }
}

const server = createServer({ noDelay: true }, (socket) => new Session(socket));

answerParent({
  /** Resolves with the port. */
  listen: ({ port }) =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host: '127.0.0.1', backlog: 4096 }, () => resolve(server.address().port));
    }),
  start: (run) => {
    tally = new Tally(run);
    cpuAtStart = process.cpuUsage();
  },
  count: () => tally.unique,
  report: () => {
    const { user, system } = process.cpuUsage(cpuAtStart);
    return { ...tally.report(), cpuMs: (user + system) / 1000 };
  },
});
