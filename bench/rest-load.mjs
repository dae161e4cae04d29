/** One REST client of the generator, on a bare socket: create after create with the message inline, over one connection that is kept. */
import { connect } from 'node:net';
import { senderAddress } from './message.mjs';
import { Stamp } from './stamp.mjs';

const HEAD_END = Buffer.from('\r\n\r\n');
const CREATED = 201;
const CONNECTION_LOST = 0;
const READ_BYTES = 65_536;
const PAUSE_MS = 20;

/** Sends what `job.next()` gives until it gives nothing; reports each message to `job`. Never rejects. */
export async function runRestSession(job, index) {
  const port = job.ports[index % job.ports.length];
  const requestOf = job.mix.prepare((kind) => new Stamp(templateOf(kind, job)));
  while (!job.isOver) {
    const first = job.next();
    if (first === undefined) return;
    const wasRefused = await new Promise((resolve) => new Exchanges({ job, requestOf, port, first, onEnd: resolve }));
    if (wasRefused) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function templateOf(kind, { host, path }) {
  const body = JSON.stringify({
    mail_from: { m: senderAddress },
    rcpt_to: [{ m: kind.recipient }],
    body: { inline: kind.text },
  });
  const head = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  return head + body;
}

/** One connection. `onEnd` hears, once, whether the message it was about was refused because of it. */
class Exchanges {
  #job;
  #requestOf;
  #socket;
  #number;
  #rest;

  constructor({ job, requestOf, port, first, onEnd }) {
    this.#job = job;
    this.#requestOf = requestOf;
    const onread = { buffer: Buffer.alloc(READ_BYTES), callback: (length, buffer) => this.#read(length, buffer) };
    this.#socket = connect({ host: job.host, port, noDelay: true, onread });
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => {
      const isRefused = this.#number !== undefined;
      if (isRefused) job.refused(this.#number, 'create', CONNECTION_LOST);
      onEnd(isRefused);
    });
    this.#begin(first);
  }

  #begin(number) {
    this.#number = number;
    if (number === undefined) {
      this.#socket.end();
      return;
    }
    const dueInMs = this.#job.dueInMs(number);
    if (dueInMs > 0) setTimeout(() => this.#offer(number), dueInMs);
    else this.#offer(number);
  }

  /** Who was cut off while it waited has told so already. */
  #offer(number) {
    if (this.#socket.destroyed) return;
    this.#job.started(number);
    this.#socket.write(this.#requestOf(number).of(number));
  }

  #read(length, buffer) {
    const piece = buffer.subarray(0, length);
    const bytes = this.#rest === undefined ? piece : Buffer.concat([this.#rest, piece]);
    const answer = answerIn(bytes);
    this.#rest = answer === undefined ? Buffer.from(bytes) : undefined;
    if (answer === undefined) return true;
    const number = this.#number;
    this.#number = undefined;
    if (answer.status === CREATED) this.#job.accepted(number);
    else this.#job.refused(number, 'create', answer.status);
    if (answer.isLast) this.#socket.destroy();
    else if (answer.status === CREATED) this.#begin(this.#job.next());
    else setTimeout(() => this.#begin(this.#job.next()), PAUSE_MS);
    return true;
  }
}

/** The answer that `bytes` are, once they are all of it. Without a length nobody knows where it ends, so the connection is of no more use. */
function answerIn(bytes) {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd === -1) return undefined;
  const head = bytes.latin1Slice(0, headEnd);
  const status = Number(head.slice(9, 12));
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) return { status, isLast: true };
  if (bytes.length < headEnd + HEAD_END.length + Number(length)) return undefined;
  return { status, isLast: /\r\nconnection: *close/i.test(head) };
}
