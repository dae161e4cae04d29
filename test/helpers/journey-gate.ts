/** Stands in front of a far end and can hold back what it says, so that a test decides when an answer arrives. */
import { EventEmitter, once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'vitest';

export class Gate {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #news = new EventEmitter();
  readonly #heldBack: (() => void)[] = [];
  #text: string | undefined;

  private constructor(port: number, farPort: number) {
    this.port = port;
    this.#server = createServer((client) => this.#join(client, farPort));
  }

  /** Listens on `port` and passes everything on to `farPort`. */
  static async open(context: TestContext, port: number, farPort: number): Promise<Gate> {
    const gate = new Gate(port, farPort);
    gate.#server.listen(port, '127.0.0.1');
    await once(gate.#server, 'listening');
    context.onTestFinished(() => gate.close());
    return gate;
  }

  get isOpen(): boolean {
    return this.#server.listening;
  }

  /** From now on, answers that contain this wait until `release`. */
  hold(text: string): void {
    this.#text = text;
  }

  /** Resolves when so many answers are held back. */
  async held(count = 1): Promise<void> {
    while (this.#heldBack.length < count) await once(this.#news, 'held');
  }

  release(): void {
    this.#text = undefined;
    for (const say of this.#heldBack.splice(0)) say();
  }

  async close(): Promise<void> {
    if (!this.isOpen) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(client: Socket, farPort: number): void {
    const far = connect({ port: farPort, host: '127.0.0.1' });
    for (const [socket, other] of [
      [client, far],
      [far, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(far);
    far.on('data', (chunk: Buffer) => {
      if (this.#text === undefined || !chunk.includes(this.#text)) {
        client.write(chunk);
        return;
      }
      this.#heldBack.push(() => client.write(chunk));
      this.#news.emit('held');
    });
    far.on('end', () => client.end());
  }
}
