/** One SMTP session of the generator: message after message over one connection, each command after the answer to the one before. */
import { connect } from 'node:net';
import { recipientOf, senderAddress } from './message.mjs';

/** Sends what `job.next()` gives until it gives nothing; reports each message to `job`. Never rejects. */
export async function runSmtpSession(job) {
  while (!job.isOver) {
    const first = job.next();
    if (first === undefined) return;
    await new Dialogue(job).run(first);
  }
}

class Dialogue {
  #job;
  #socket;
  #text = '';
  #replies = [];
  #waiting;
  #hasEnded = false;

  constructor(job) {
    this.#job = job;
    this.#socket = connect({ host: job.host, port: job.port, noDelay: true });
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => {
      this.#hasEnded = true;
      this.#waiting?.(CONNECTION_LOST);
    });
  }

  /** From one message to the next on the same connection; returns when there is none, or when the connection is of no more use. */
  async run(first) {
    const greeting = await this.#reply();
    const hello = greeting === 220 ? await this.#say('EHLO source.example\r\n') : greeting;
    if (hello !== 250) {
      this.#job.refused(first, 'hello', hello);
      this.#socket.destroy();
      return;
    }
    for (let number = first; number !== undefined; number = this.#job.next()) {
      const isUsable = await this.#message(number);
      if (!isUsable) {
        this.#socket.destroy();
        return;
      }
    }
    await this.#say('QUIT\r\n');
    this.#socket.destroy();
  }

  async #message(number) {
    const { kind } = this.#job;
    this.#job.started(number);
    const steps = [
      ['mail', `MAIL FROM:<${senderAddress}>\r\n`, 250],
      ['rcpt', `RCPT TO:<${recipientOf(kind.runId, number)}>\r\n`, 250],
      ['data', 'DATA\r\n', 354],
      ['dot', kind.wire(number), 250],
    ];
    for (const [stage, bytes, wanted] of steps) {
      const code = await this.#say(bytes);
      if (code === wanted) continue;
      this.#job.refused(number, stage, code);
      return code !== CONNECTION_LOST && code !== 421 && (await this.#say('RSET\r\n')) === 250;
    }
    this.#job.accepted(number);
    return true;
  }

  #say(bytes) {
    if (!this.#hasEnded) this.#socket.write(bytes);
    return this.#reply();
  }

  /** The code of the next reply; 0 when the connection is gone. */
  #reply() {
    if (this.#replies.length > 0) return Promise.resolve(this.#replies.shift());
    if (this.#hasEnded) return Promise.resolve(CONNECTION_LOST);
    return new Promise((resolve) => {
      this.#waiting = (code) => {
        this.#waiting = undefined;
        resolve(code);
      };
    });
  }

  #read(chunk) {
    this.#text += chunk.latin1Slice();
    for (let end = this.#text.indexOf('\n'); end !== -1; end = this.#text.indexOf('\n')) {
      const isLast = this.#text[3] !== '-';
      const code = Number(this.#text.slice(0, 3));
      this.#text = this.#text.slice(end + 1);
      if (!isLast) continue;
      if (this.#waiting !== undefined) this.#waiting(code);
      else this.#replies.push(code);
    }
  }
}

const CONNECTION_LOST = 0;
