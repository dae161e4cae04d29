/**
 * An SMTP server that remembers which message came for whom and from whom, and whether it was what had been handed in. Some recipients are put off at
 * first, so that retries are under way at every kill; some are refused, so that there is something to report; and some messages are answered
 * late, so that kills meet messages that were sent and not answered. `treatmentOf` says which.
 */
import { createServer } from 'node:net';
import { readMessage, treatmentOf } from './messages.mjs';

const LATE_MS = 40;
const LINE_END = '\r\n';
const MESSAGE_END = '\r\n.\r\n';
const REFUSED = '550 5.1.1 nobody here';
const PUT_OFF = '450 4.2.0 not yet';

export class FarEnd {
  /** By recipient, once for each time its message came whole: the name given at EHLO, that of the router if it wrote one, and when. */
  arrivals = new Map();
  /** By recipient that did not get its message, once for each time somebody was told: the same, and which notification it was. */
  bounced = new Map();
  /** Recipients whose message came with other bytes than had been handed in. */
  altered = [];
  /** Recipients who got a message that is for somebody else. */
  misdirected = [];
  #putOff = new Set();
  #sockets = new Set();
  #server = createServer((socket) => {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined); // the other side was killed
    new Dialogue(socket, this);
  });

  async listen() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this.#server.address().port;
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  /** The answer to RCPT. */
  asked(rcpt) {
    const treatment = treatmentOf(rcpt);
    if (treatment === 'refused') return REFUSED;
    return treatment === 'put off' && this.#isFirst(rcpt) ? PUT_OFF : '250 2.1.5 ok';
  }

  /** The answer to the end of a message, and after how many ms it comes. */
  taken(rcpts, content, client) {
    const treatments = rcpts.map(treatmentOf);
    if (treatments.includes('refused at the dot')) return { answer: REFUSED, delayMs: 0 };
    if (treatments.includes('put off at the dot') && this.#isFirst(rcpts[0])) return { answer: PUT_OFF, delayMs: 0 };
    if (/^Auto-Submitted:/im.test(content.slice(0, content.indexOf('\r\n\r\n')))) this.#report(content, client);
    else this.#arrived(rcpts, content, client);
    return { answer: '250 2.0.0 ok', delayMs: treatments.includes('late') ? LATE_MS : 0 };
  }

  #isFirst(rcpt) {
    if (this.#putOff.has(rcpt)) return false;
    this.#putOff.add(rcpt);
    return true;
  }

  #report(content, client) {
    const notification = /^Message-ID: (\S+)/im.exec(content)?.[1];
    const { router } = readMessage(content);
    for (const [, rcpt] of content.matchAll(/^Final-Recipient: rfc822; ([^@\s]+)@[\s\S]*?^Action: failed/gim)) {
      const copy = { client, router, at: performance.now(), notification };
      this.bounced.set(rcpt, [...(this.bounced.get(rcpt) ?? []), copy]);
    }
  }

  #arrived(rcpts, content, client) {
    const { id, router, isWhole } = readMessage(content);
    for (const rcpt of rcpts) {
      if (!rcpt.startsWith(`${id}.`)) this.misdirected.push(rcpt);
      else if (!isWhole) this.altered.push(rcpt);
      else this.arrivals.set(rcpt, [...(this.arrivals.get(rcpt) ?? []), { client, router, at: performance.now() }]);
    }
  }
}

class Dialogue {
  #socket;
  #far;
  /** What has come and is not read yet, and its last bytes: a line, or a message of 2 MB, is put together when its end is there. */
  #pieces = [];
  #tail = '';
  #isMessage = false;
  #client = '';
  #rcpts = [];
  /** Answers leave in the order of their commands. */
  #before = Promise.resolve();

  constructor(socket, far) {
    this.#socket = socket;
    this.#far = far;
    socket.write('220 far.example ESMTP\r\n');
    socket.on('data', (bytes) => this.#read(bytes.toString('latin1')));
  }

  get #end() {
    return this.#isMessage ? MESSAGE_END : LINE_END;
  }

  #read(piece) {
    this.#pieces.push(piece);
    const seam = this.#tail + piece;
    this.#tail = seam.slice(-MESSAGE_END.length);
    if (!seam.includes(this.#end)) return;
    let text = this.#pieces.join('');
    for (let at = text.indexOf(this.#end); at !== -1; at = text.indexOf(this.#end)) {
      const unit = text.slice(0, at);
      text = text.slice(at + this.#end.length);
      if (this.#isMessage) this.#finish(unit);
      else this.#say(this.#answer(unit));
    }
    this.#pieces = [text];
    this.#tail = text.slice(-MESSAGE_END.length);
  }

  #finish(unit) {
    this.#isMessage = false;
    // The last line end is also that of the dot; RFC 5321 §4.5.2.
    const content = `${unit}\r\n`.replace(/^\.\./gm, '.');
    const { answer, delayMs } = this.#far.taken(this.#rcpts, content, this.#client);
    this.#say(answer, delayMs);
  }

  #say(answer, delayMs = 0) {
    this.#before = this.#before.then(async () => {
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      this.#socket.write(`${answer}\r\n`);
    });
  }

  #answer(line) {
    switch (line.slice(0, 4).toUpperCase()) {
      case 'EHLO':
        this.#client = line.slice(5);
        return '250-far.example\r\n250-PIPELINING\r\n250 8BITMIME';
      case 'MAIL':
        this.#rcpts = [];
        return '250 2.1.0 ok';
      case 'RCPT':
        return this.#recipient(/<([^@>]*)@/.exec(line)?.[1] ?? '');
      case 'DATA':
        if (this.#rcpts.length === 0) return '554 5.5.1 no valid recipients';
        this.#isMessage = true;
        return '354 go on';
      case 'QUIT':
        return '221 bye';
      default:
        return '250 2.0.0 ok';
    }
  }

  #recipient(rcpt) {
    const answer = this.#far.asked(rcpt);
    if (answer.startsWith('250')) this.#rcpts.push(rcpt);
    return answer;
  }
}
