/**
 * Plays SMTP conversations written as text, so that a new case is a new file. One line, one step:
 *
 *   # remark                       @name words…        a setting for the test that plays the file
 *   C: EHLO client                 sent, with CRLF     C~ DATA\r\nx\n.\r\n    sent as it is, with escapes \r \n \0 \xNN \\
 *   S: 250 2.0.0 ok                received, exactly   S: 250-SIZE …           received, beginning like this
 *   S~ ^250 .*queued               received, matching  S! closed               the server has closed the connection
 *   C! starttls                    upgrades to TLS     C! close                drops the connection
 *   C! bytes 1                     from here on in segments of so many bytes (0: all at once)
 *
 * Nothing is skipped: every line the server sends must be expected.
 */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';

export interface DialogStep {
  readonly lineNumber: number;
  readonly kind: 'C:' | 'C~' | 'C!' | 'S:' | 'S~' | 'S!';
  readonly text: string;
}

export interface Dialog {
  readonly steps: readonly DialogStep[];
  /** Values of the `@name` lines, in order. */
  readonly settings: ReadonlyMap<string, readonly string[]>;
}

/** Throws for a line that is none of the forms above. */
export function parseDialog(source: string): Dialog {
  const steps: DialogStep[] = [];
  const settings = new Map<string, string[]>();
  for (const [i, line] of source.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const setting = /^@(\S+) ?(.*)$/.exec(line);
    const step = /^([CS][:~!]) ?(.*)$/.exec(line);
    if (setting !== null) settings.set(setting[1] ?? '', [...(settings.get(setting[1] ?? '') ?? []), setting[2] ?? '']);
    else if (step !== null) steps.push({ lineNumber: i + 1, kind: step[1] as DialogStep['kind'], text: step[2] ?? '' });
    else throw new Error(`line ${i + 1} of a dialog is neither C, S, @ nor #: ${line}`);
  }
  return { steps, settings };
}

/** Plays a dialog against a server; throws with the line of the script that did not come true. */
export async function playDialog(
  dialog: Dialog,
  address: { readonly port: number; readonly host?: string },
): Promise<void> {
  const client = await SmtpClient.connect(address.port, address.host);
  try {
    for (const step of dialog.steps) {
      try {
        await playStep(client, step);
      } catch (error) {
        throw new Error(`line ${step.lineNumber}: ${step.kind} ${step.text}\n  ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
  } finally {
    client.destroy();
  }
}

async function playStep(client: SmtpClient, { kind, text }: DialogStep): Promise<void> {
  switch (kind) {
    case 'C:':
      return client.send(`${text}\r\n`);
    case 'C~':
      return client.send(unescapeText(text));
    case 'C!':
      return control(client, text);
    case 'S:':
      return expectLine(await client.line(), text);
    case 'S~': {
      const line = await client.line();
      if (!new RegExp(text).test(line)) throw new Error(`received: ${line}`);
      return;
    }
    case 'S!':
      await client.end();
  }
}

function expectLine(line: string, text: string): void {
  const isMatch = text.endsWith('…') ? line.startsWith(text.slice(0, -1).trimEnd()) : line === text;
  if (!isMatch) throw new Error(`received: ${line}`);
}

async function control(client: SmtpClient, text: string): Promise<void> {
  const [verb, value] = text.split(' ');
  if (verb === 'starttls') await client.startTls();
  else if (verb === 'close') client.destroy();
  else if (verb === 'bytes') client.segmentBytes = Number(value);
  else throw new Error(`unknown control: ${text}`);
}

/** `\r`, `\n`, `\0`, `\t`, `\\` and `\xNN`. */
export function unescapeText(text: string): Buffer {
  const simple: Readonly<Record<string, string>> = { r: '\r', n: '\n', '0': '\0', t: '\t', '\\': '\\' };
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return Buffer.from(
    bytes.replace(/\\(?:x([0-9A-Fa-f]{2})|(.))/g, (_, hex: string | undefined, char: string) =>
      hex === undefined ? (simple[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
    ),
    'latin1',
  );
}

/** A client that does only what it is told, one reply line at a time. */
export class SmtpClient {
  #socket: net.Socket;
  #received = '';
  #isEnded = false;
  #wake: () => void = () => undefined;
  /** Sends in segments of this size, each on its own turn; 0 sends everything at once. */
  segmentBytes = 0;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    this.#attach(socket);
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<SmtpClient> {
    const socket = net.connect({ port, host, noDelay: true });
    await once(socket, 'connect');
    return new SmtpClient(socket);
  }

  static async connectTls(port: number, host = '127.0.0.1'): Promise<SmtpClient> {
    const socket = tls.connect({ port, host, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    return new SmtpClient(socket);
  }

  async send(data: string | Buffer): Promise<void> {
    const bytes = Buffer.from(data);
    const step = this.segmentBytes === 0 ? bytes.length : this.segmentBytes;
    for (let i = 0; i < bytes.length; i += step) {
      if (this.#isEnded) return;
      const isFull = !this.#socket.write(bytes.subarray(i, i + step));
      if (isFull) await this.#drained();
      else if (this.segmentBytes > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** The next line without its CRLF; throws when the connection ends first. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#received.indexOf('\r\n');
      if (end !== -1) {
        const line = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 2);
        return line;
      }
      if (this.#isEnded) throw new Error('the connection is closed');
      await this.#change();
    }
  }

  /** All lines of the next reply. */
  async reply(): Promise<string[]> {
    const lines = [await this.line()];
    while (lines.at(-1)?.[3] === '-') lines.push(await this.line());
    return lines;
  }

  /** Sends a command and reads its reply. */
  async command(line: string): Promise<string[]> {
    await this.send(`${line}\r\n`);
    return this.reply();
  }

  /** Resolves when the server has closed; throws when it says something more instead. */
  async end(): Promise<void> {
    while (!this.#isEnded && this.#received === '') await this.#change();
    if (this.#received !== '') throw new Error(`received instead: ${this.#received.split('\r\n')[0]}`);
  }

  /** Everything the server still says until it closes. */
  async rest(): Promise<string> {
    while (!this.#isEnded) await this.#change();
    return this.#received;
  }

  async startTls(): Promise<void> {
    this.#socket.removeAllListeners();
    const secured = tls.connect({ socket: this.#socket, rejectUnauthorized: false });
    await once(secured, 'secureConnect');
    this.#socket = secured;
    this.#attach(secured);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  get socket(): net.Socket {
    return this.#socket;
  }

  #attach(socket: net.Socket): void {
    const ended = (): void => {
      this.#isEnded = true;
      this.#wake();
    };
    socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('utf8');
      this.#wake();
    });
    // A reset is an end like any other here.
    socket.on('end', ended).on('close', ended).on('error', ended);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done).off('close', done);
        resolve();
      };
      this.#socket.on('drain', done).on('close', done);
    });
  }
}
