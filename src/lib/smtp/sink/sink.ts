/** An SMTP or LMTP server that takes every message and forgets it: for tests, for development and for benchmarks. It is never a mail server. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { limits } from '../../core/limits.ts';
import type { Mailbox } from '../../core/mailbox.ts';
import type { SinkScript } from './script.ts';
import { magicReplies } from './script.ts';
import { SinkSession } from './session.ts';

export interface SinkMessage {
  readonly mailFrom: Mailbox;
  readonly rcptTo: readonly Mailbox[];
  /** As it was sent, without the dot-stuffing. */
  readonly body: Buffer;
  readonly hello: string;
  readonly tls: boolean;
  readonly bdat: boolean;
  /** Number of the connection, from 1, and of the message on it. */
  readonly connection: number;
  readonly sequence: number;
}

export interface SinkOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  readonly host?: string;
  readonly lmtp?: boolean;
  /** Keywords of EHLO; by default PIPELINING, SIZE, 8BITMIME, SMTPUTF8, DSN, CHUNKING and ENHANCEDSTATUSCODES. */
  readonly extensions?: readonly string[];
  /** A server that knows HELO only. */
  readonly noEhlo?: boolean;
  /** PEM texts; offers STARTTLS. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Offers AUTH PLAIN. */
  readonly auth?: (user: string, password: string) => boolean;
  readonly maxMessageBytes?: number;
  /** Asked first; the magic recipients come after. */
  readonly reply?: SinkScript;
  readonly onMessage?: (message: SinkMessage) => void;
  /** How many messages `messages` holds; the oldest go. Benchmarks keep none. */
  readonly keep?: number;
}

export interface Sink {
  readonly host: string;
  readonly port: number;
  readonly messages: readonly SinkMessage[];
  /** All command lines, when something has to be known that no message shows. */
  readonly commands: readonly string[];
  /** Connections accepted so far, and open now. */
  readonly connections: number;
  readonly open: number;
  /** Resolves once `count` messages have come in. */
  received(count: number): Promise<readonly SinkMessage[]>;
  close(): Promise<void>;
}

/** Rejects when the address cannot be listened on. */
export async function startSink(options: SinkOptions = {}): Promise<Sink> {
  const sink = new ListeningSink(options);
  await sink.listen();
  return sink;
}

/** What a session needs of its sink. */
export interface SinkSettings {
  readonly options: SinkOptions;
  readonly secureContext: SecureContext | undefined;
  readonly maxMessageBytes: number;
  readonly script: SinkScript;
  readonly onCommand: (line: string) => void;
  readonly onMessage: (message: SinkMessage) => void;
}

class ListeningSink implements Sink {
  readonly host: string;
  readonly messages: SinkMessage[] = [];
  readonly commands: string[] = [];
  connections = 0;
  readonly #port: number;
  readonly #keep: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #settings: SinkSettings;
  #total = 0;
  #waiting: { readonly count: number; readonly wake: () => void }[] = [];

  constructor(options: SinkOptions) {
    this.host = options.host ?? '127.0.0.1';
    this.#port = options.port ?? 0;
    this.#keep = options.keep ?? limits.sinkMessages;
    this.#settings = {
      options,
      secureContext: options.tls === undefined ? undefined : createSecureContext(options.tls),
      maxMessageBytes: options.maxMessageBytes ?? limits.messageBytes,
      script: (stage, address) => options.reply?.(stage, address) ?? magicReplies(stage, address),
      onCommand: (line) => keep(this.commands, line, this.#keep),
      onMessage: (message) => this.#receive(message),
    };
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get open(): number {
    return this.#sockets.size;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, this.host, resolve);
    });
  }

  async received(count: number): Promise<readonly SinkMessage[]> {
    if (this.#total < count) {
      await new Promise<void>((wake) => {
        this.#waiting.push({ count, wake });
      });
    }
    return this.messages;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  #accept(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    new SinkSession(socket, this.#settings, this.connections).start();
  }

  #receive(message: SinkMessage): void {
    this.#total += 1;
    keep(this.messages, message, this.#keep);
    this.#settings.options.onMessage?.(message);
    const ready = this.#waiting.filter(({ count }) => count <= this.#total);
    this.#waiting = this.#waiting.filter(({ count }) => count > this.#total);
    for (const { wake } of ready) wake();
  }
}

function keep<T>(list: T[], item: T, count: number): void {
  list.push(item);
  if (list.length > count) list.shift();
}
