/** A far end that takes a message and keeps silent about it until it is told to answer: what a slow destination does, without a clock. */
import { createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'vitest';

/** Recipients whose local part begins with this are kept waiting; the others are answered at once. */
export const HELD = 'flood';

export class HoldingFarEnd {
  /** The recipients of all messages, in the order in which they came. */
  readonly received: string[] = [];
  readonly #waiting = new Map<Socket, string>();
  #isOpen = false;

  /** Messages that are there and not answered. */
  get held(): number {
    return this.#waiting.size;
  }

  static async open(context: TestContext, port: number): Promise<HoldingFarEnd> {
    const far = new HoldingFarEnd();
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      far.#serve(socket);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    context.onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return far;
  }

  /** Answers everything, from now on at once. */
  release(): void {
    this.#isOpen = true;
    for (const socket of this.#waiting.keys()) socket.write('250 2.0.0 queued at last\r\n');
    this.#waiting.clear();
  }

  #serve(socket: Socket): void {
    let input = '';
    let rcpt = '';
    let isInMessage = false;
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#waiting.delete(socket));
    socket.setEncoding('latin1').write('220 far.example\r\n');
    socket.on('data', (text: string) => {
      input += text;
      for (;;) {
        const end = isInMessage ? input.indexOf('\r\n.\r\n') : input.indexOf('\r\n');
        if (end === -1) return;
        const line = input.slice(0, end);
        input = input.slice(end + (isInMessage ? 5 : 2));
        if (isInMessage) {
          isInMessage = false;
          this.#message(socket, rcpt);
          continue;
        }
        rcpt = /^RCPT TO:<([^>]*)>/i.exec(line)?.[1] ?? rcpt;
        isInMessage = /^DATA$/i.test(line);
        socket.write(isInMessage ? '354 go\r\n' : /^QUIT/i.test(line) ? '221 bye\r\n' : '250 ok\r\n');
      }
    });
  }

  #message(socket: Socket, rcpt: string): void {
    this.received.push(rcpt);
    if (rcpt.startsWith(HELD) && !this.#isOpen) this.#waiting.set(socket, rcpt);
    else socket.write('250 2.0.0 queued\r\n');
  }
}
