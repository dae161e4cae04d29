/**
 * An SMTP server that remembers which message came from whom. One recipient in ten is put off at first, so that retries are under way at every
 * kill, and one message in four is answered late, so that kills meet messages that were sent and not answered.
 */
import { createServer } from 'node:net';

const LATE_MS = 40;

export class FarEnd {
  /** Who sent each message, by its id, once for each time it came whole: the name given at EHLO, that of the router if it wrote one, and when. */
  arrivals = new Map();
  /** Notifications that came. */
  notifications = 0;
  #refusals = new Set();
  #sockets = new Set();
  #server = createServer((socket) => this.#serve(socket));

  async listen() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this.#server.address().port;
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket) {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined); // the other side was killed
    socket.write('220 far.example ESMTP\r\n');
    let text = '';
    let isMessage = false;
    let client = '';
    /** Answers leave in the order of their commands. */
    let before = Promise.resolve();
    const say = (answer, delayMs) => {
      before = before.then(async () => {
        if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
        socket.write(`${answer}\r\n`);
      });
    };
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      for (;;) {
        const end = isMessage ? '\r\n.\r\n' : '\r\n';
        const at = text.indexOf(end);
        if (at === -1) return;
        const unit = text.slice(0, at);
        text = text.slice(at + end.length);
        if (/^EHLO /i.test(unit) && !isMessage) client = unit.slice(5);
        const isLate = isMessage && this.#arrived(unit, client);
        const answer = isMessage ? '250 2.0.0 ok' : this.#answer(unit);
        isMessage = !isMessage && answer.startsWith('354');
        say(answer, isLate ? LATE_MS : 0);
      }
    });
  }

  #answer(line) {
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'EHLO') return '250-far.example\r\n250-PIPELINING\r\n250 8BITMIME';
    if (verb === 'DATA') return '354 go on';
    if (verb === 'QUIT') return '221 bye';
    const isPutOff = verb === 'RCPT' && /\d*7@/.test(line) && !this.#refusals.has(line);
    if (isPutOff) this.#refusals.add(line);
    return isPutOff ? '450 4.2.0 not yet' : '250 2.0.0 ok';
  }

  /** Says whether the answer takes its time. */
  #arrived(message, client) {
    if (/^Auto-Submitted:/im.test(message)) {
      this.notifications += 1;
      return false;
    }
    const id = /^X-Id: (\S+)/im.exec(message)?.[1] ?? 'unknown';
    const bodyBytes = Number(/^X-Body-Bytes: (\d+)/im.exec(message)?.[1]);
    // The last line end is that of the dot.
    const isWhole = message.length - message.indexOf('\r\n\r\n') - 4 + 2 === bodyBytes;
    if (!isWhole) return false;
    const router = /^Received:[\s\S]*?\bby (\S+)/i.exec(message)?.[1];
    this.arrivals.set(id, [...(this.arrivals.get(id) ?? []), { client, router, at: performance.now() }]);
    return Number(id.slice(1)) % 4 === 0;
  }
}
