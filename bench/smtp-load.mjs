/**
 * One SMTP session of the generator, on a bare socket: message after message over one connection, or so many for each. It must need as little CPU as can
 * be, because it shares the machine with what is measured.
 */
import { connect } from 'node:net';
import { DATA, HELLO, QUIT, RESET, SmtpScript } from './smtp-script.mjs';

const LF = 0x0a;
const HYPHEN = 0x2d;
const ZERO = 0x30;
const READ_BYTES = 4096;
const CONNECTION_LOST = 0;
const SHUTTING_DOWN = 421;
/** Before the next message, when one was refused: whoever refuses gets no storm of attempts. */
const PAUSE_MS = 20;

/** The reply that lets a dialogue go on. */
const WANTED = { greeting: 220, hello: 250, mail: 250, rcpt: 250, data: 354, dot: 250, reset: 250 };

/** Sends what `job.next()` gives until it gives nothing; reports each message to `job`. Never rejects. */
export async function runSmtpSession(job, index) {
  const script = new SmtpScript(job);
  const port = job.ports[index % job.ports.length];
  while (!job.isOver) {
    const first = job.next();
    if (first === undefined) return;
    const wasRefused = await new Promise((resolve) => new Dialogue({ job, script, port, first, onEnd: resolve }));
    if (wasRefused) await pause();
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

/** One connection. `onEnd` hears, once, whether the message it was about was refused. */
class Dialogue {
  #job;
  #script;
  #onEnd;
  #socket;
  #number;
  #stage = 'greeting';
  #rcptsLeft = 0;
  #messagesLeft;
  #rest;

  constructor({ job, script, port, first, onEnd }) {
    this.#job = job;
    this.#script = script;
    this.#number = first;
    this.#messagesLeft = job.perConnection === 0 ? Number.POSITIVE_INFINITY : job.perConnection;
    this.#onEnd = onEnd;
    const onread = { buffer: Buffer.alloc(READ_BYTES), callback: (length, buffer) => this.#read(length, buffer) };
    const { host, localAddress } = job;
    this.#socket = connect({ host, port, localAddress, noDelay: true, onread });
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => this.#closed());
  }

  #closed() {
    const isRefused = this.#number !== undefined;
    if (isRefused) this.#refused(CONNECTION_LOST);
    this.#onEnd(isRefused);
  }

  #refused(code) {
    const number = this.#number;
    this.#number = undefined;
    this.#job.refused(number, this.#stage, code);
  }

  #read(length, buffer) {
    const bytes =
      this.#rest === undefined ? buffer.subarray(0, length) : Buffer.concat([this.#rest, buffer.subarray(0, length)]);
    let start = 0;
    for (let end = bytes.indexOf(LF); end !== -1; end = bytes.indexOf(LF, start)) {
      if (bytes[start + 3] !== HYPHEN) this.#onReply(codeAt(bytes, start));
      start = end + 1;
    }
    this.#rest = start < bytes.length ? Buffer.from(bytes.subarray(start)) : undefined;
    return true;
  }

  #onReply(code) {
    if (this.#stage === 'quit') this.#socket.end();
    else if (code === WANTED[this.#stage]) this.#goOn();
    else this.#stop(code);
  }

  #goOn() {
    switch (this.#stage) {
      case 'greeting':
        this.#stage = 'hello';
        this.#socket.write(HELLO);
        return;
      case 'hello':
        this.#begin();
        return;
      case 'mail':
        this.#stage = 'rcpt';
        this.#say(() => this.#script.rcpt(this.#number, 0));
        return;
      case 'rcpt':
        this.#afterRcpt();
        return;
      case 'data':
        this.#stage = 'dot';
        this.#script.writeMessage(this.#socket, this.#number);
        return;
      case 'dot':
        this.#job.accepted(this.#number);
        this.#following();
        return;
      default:
        setTimeout(() => this.#following(), PAUSE_MS);
    }
  }

  #begin() {
    const dueInMs = this.#job.dueInMs(this.#number);
    if (dueInMs > 0) setTimeout(() => this.#offer(), dueInMs);
    else this.#offer();
  }

  /** Who was cut off while it waited has told so already. */
  #offer() {
    if (this.#socket.destroyed) return;
    this.#job.started(this.#number);
    this.#stage = 'mail';
    this.#rcptsLeft = this.#job.rcpts;
    this.#messagesLeft -= 1;
    this.#socket.write(this.#job.isPipelining ? this.#script.envelope(this.#number) : this.#script.mail);
  }

  /** What has not been said with the envelope already. */
  #say(bytes) {
    if (!this.#job.isPipelining) this.#socket.write(bytes());
  }

  #afterRcpt() {
    this.#rcptsLeft -= 1;
    if (this.#rcptsLeft > 0) {
      this.#say(() => this.#script.rcpt(this.#number, this.#job.rcpts - this.#rcptsLeft));
      return;
    }
    this.#stage = 'data';
    this.#say(() => DATA);
  }

  #following() {
    this.#number = this.#messagesLeft > 0 ? this.#job.next() : undefined;
    if (this.#number !== undefined) {
      this.#begin();
      return;
    }
    this.#stage = 'quit';
    this.#socket.write(QUIT);
  }

  /** After a refusal. The replies to what was sent after it are not waited for: the connection is given up. */
  #stop(code) {
    if (this.#number !== undefined) this.#refused(code);
    const isOfUse = ['mail', 'rcpt', 'data', 'dot'].includes(this.#stage);
    const isBehind = this.#job.isPipelining && this.#stage !== 'dot';
    if (code === SHUTTING_DOWN || !isOfUse || isBehind) {
      this.#socket.destroy();
      return;
    }
    this.#stage = 'reset';
    this.#socket.write(RESET);
  }
}

/** Of the reply that starts there. */
const codeAt = (bytes, at) => (bytes[at] - ZERO) * 100 + (bytes[at + 1] - ZERO) * 10 + bytes[at + 2] - ZERO;
