/** Stands in front of a far end and falls silent, or breaks connections off, at one step of the dialogue, until it is healed. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'vitest';

/**
 * `connect`: nobody greets; `tls`: STARTTLS is offered and taken, and the handshake is not; `dot`: the end of the message does not reach the far
 * end; `answer`: it does, and the answer is lost; `half`: so is the second half of the line that answers MAIL.
 */
export const steps = ['connect', 'ehlo', 'tls', 'mail', 'half', 'rcpt', 'data', 'dot', 'answer'] as const;
export type Step = (typeof steps)[number];
export type How = 'stalls' | 'resets';

/** Where each step begins in what the client sends. */
const BEGINNINGS: Readonly<Record<Step, string | undefined>> = {
  connect: undefined,
  ehlo: 'EHLO ',
  tls: 'STARTTLS\r\n',
  mail: 'MAIL FROM',
  half: undefined,
  rcpt: 'RCPT TO',
  data: 'DATA\r\n',
  dot: '\r\n.\r\n',
  answer: undefined,
};

/** What the far end says to MAIL, and to a message. */
const SENDER_TAKEN = '250 2.0.0 OK';
const MESSAGE_TAKEN = 'message accepted';

export interface FaultyFarEndAsk {
  readonly host: string;
  readonly port: number;
  /** The far end that works. */
  readonly farPort: number;
  readonly step: Step;
  readonly how: How;
}

/** Puts STARTTLS into the answer to EHLO. */
function offeringTls(chunk: Buffer): Buffer {
  const text = chunk.toString('latin1');
  return Buffer.from(
    text.replace(/^250-.*\r\n/, (first) => `${first}250-STARTTLS\r\n`),
    'latin1',
  );
}

export class FaultyFarEnd {
  readonly #ask: FaultyFarEndAsk;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isHealed = false;
  #failed: () => void = () => undefined;
  /** Resolves when it has failed for the first time. */
  readonly hasFailed = new Promise<void>((resolve) => {
    this.#failed = resolve;
  });

  private constructor(ask: FaultyFarEndAsk) {
    this.#ask = ask;
    this.#server = createServer((client) => this.#join(client));
  }

  static async open(context: TestContext, ask: FaultyFarEndAsk): Promise<FaultyFarEnd> {
    const far = new FaultyFarEnd(ask);
    far.#server.listen(ask.port, ask.host);
    await once(far.#server, 'listening');
    context.onTestFinished(() => far.#close());
    return far;
  }

  heal(): void {
    this.#isHealed = true;
  }

  async #close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(client: Socket): void {
    const { step, farPort } = this.#ask;
    this.#watch(client);
    if (step === 'connect' && !this.#isHealed) {
      this.#fail(client);
      return;
    }
    const far = connect(farPort, '127.0.0.1');
    this.#watch(far, client);
    this.#watch(client, far);
    let isFailing = false;
    client.on('data', (chunk: Buffer) => {
      if (isFailing) return;
      const beginning = BEGINNINGS[step];
      const at = this.#isHealed || beginning === undefined ? -1 : chunk.indexOf(beginning);
      far.write(at === -1 ? chunk : chunk.subarray(0, at));
      isFailing = at !== -1;
      if (isFailing && step === 'tls') client.write('220 2.0.0 go ahead\r\n');
      if (isFailing) this.#fail(client);
    });
    far.on('data', (chunk: Buffer) => {
      if (isFailing) return;
      const cut = this.#isHealed ? -1 : this.#cutAt(chunk);
      const text = step === 'tls' && !this.#isHealed ? offeringTls(chunk) : chunk;
      isFailing = cut !== -1;
      client.write(isFailing ? text.subarray(0, cut) : text);
      if (isFailing) this.#fail(client);
    });
  }

  /** How much of an answer still arrives. */
  #cutAt(chunk: Buffer): number {
    const { step } = this.#ask;
    if (step === 'answer') return chunk.includes(MESSAGE_TAKEN) ? 0 : -1;
    const at = step === 'half' ? chunk.indexOf(SENDER_TAKEN) : -1;
    return at === -1 ? -1 : at + 5;
  }

  #fail(client: Socket): void {
    this.#failed();
    if (this.#ask.how === 'resets') client.resetAndDestroy();
  }

  #watch(socket: Socket, other?: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      other?.destroy();
    });
  }
}
