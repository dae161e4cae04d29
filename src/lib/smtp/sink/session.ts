/** One connection of a sink: the commands, and the little that has to be remembered between them. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Mailbox } from '../../core/mailbox.ts';
import { reply } from '../../core/response.ts';
import { SinkInput } from './input.ts';
import { ChunkReader, DataReader } from './message-reader.ts';
import { parsePath } from './path.ts';
import type { SinkSettings } from './sink.ts';
import { SinkVoice } from './voice.ts';

const EXTENSIONS = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'CHUNKING', 'ENHANCEDSTATUSCODES'];
const ok = reply(250, '2.0.0', 'OK');
const accepted = reply(250, '2.0.0', 'message accepted for delivery');
const tooLarge = reply(552, '5.3.4', 'message too large');
const badSequence = reply(503, '5.5.1', 'bad sequence of commands');
const syntaxError = reply(501, '5.5.4', 'syntax error');
const unknownCommand = reply(500, '5.5.1', 'unknown command');

export class SinkSession {
  readonly #settings: SinkSettings;
  readonly #connection: number;
  readonly #voice: SinkVoice;
  #input = new SinkInput((line) => this.#command(line));
  #socket: Socket;
  /** RFC 5321 §3.1: whom the greeting has refused can only leave. */
  #isWelcome = true;
  #hello = '';
  #isTls = false;
  #sequence = 0;
  #mailFrom: Mailbox | undefined;
  #rcptTo: Mailbox[] = [];
  /** What BDAT has brought so far; the rest of a message that is too large is not kept. */
  #chunks: { readonly parts: Buffer[]; bytes: number } | undefined;

  readonly #verbs: Readonly<Record<string, (rest: string) => void>> = {
    EHLO: (rest) => this.#onHello('EHLO', rest),
    LHLO: (rest) => this.#onHello('LHLO', rest),
    HELO: (rest) => this.#onHello('HELO', rest),
    MAIL: (rest) => this.#onMail(rest),
    RCPT: (rest) => this.#onRcpt(rest),
    DATA: () => this.#onData(),
    BDAT: (rest) => this.#onBdat(rest),
    STARTTLS: () => this.#onStartTls(),
    AUTH: (rest) => this.#onAuth(rest),
    NOOP: () => this.#voice.say(ok),
    RSET: () => {
      this.#forget();
      this.#voice.say(ok);
    },
    QUIT: () => {
      this.#voice.say(reply(221, '2.0.0', 'bye'));
      this.#voice.end();
    },
  };

  constructor(socket: Socket, settings: SinkSettings, connection: number) {
    this.#socket = socket;
    this.#settings = settings;
    this.#connection = connection;
    this.#voice = new SinkVoice(socket, settings.script, () => this.#input.stop());
  }

  start(): void {
    this.#listen();
    this.#isWelcome = this.#voice.answer('connect', '', { code: 220, text: 'koukan fake smtpd ESMTP' });
    this.#voice.flush();
  }

  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      if (!this.#input.read(chunk)) this.#socket.destroy();
      this.#voice.flush();
    });
    // A client that goes away is not our concern.
    this.#socket.on('error', () => this.#socket.destroy());
  }

  #command(line: string): void {
    this.#settings.onCommand(line);
    const space = line.indexOf(' ');
    const verb = (space === -1 ? line : line.slice(0, space)).toUpperCase();
    const rest = space === -1 ? '' : line.slice(space + 1).trim();
    const handle = this.#verbs[verb];
    if (handle === undefined) this.#voice.say(unknownCommand);
    else handle(rest);
  }

  #onHello(verb: string, name: string): void {
    const { options, maxMessageBytes, secureContext } = this.#settings;
    const isExtended = verb !== 'HELO';
    if ((isExtended && options.noEhlo) || (verb === 'LHLO') !== (options.lmtp === true)) {
      this.#voice.say(unknownCommand);
      return;
    }
    if (!this.#isWelcome) {
      this.#voice.say(badSequence);
      return;
    }
    this.#forget();
    const keywords = [...(options.extensions ?? [...EXTENSIONS, `SIZE ${maxMessageBytes}`])];
    if (secureContext !== undefined && !this.#isTls) keywords.push('STARTTLS');
    if (options.auth !== undefined) keywords.push('AUTH PLAIN');
    const lines = ['koukan fake smtpd', ...(isExtended ? keywords : [])];
    const isAccepted = this.#voice.answer('hello', name, { code: 250, text: lines.join('\n') });
    this.#hello = isAccepted ? name : '';
  }

  #onMail(rest: string): void {
    const from = /^FROM:/i.test(rest) ? parsePath(rest.slice(5)) : undefined;
    if (from === undefined) this.#voice.say(syntaxError);
    else if (this.#hello === '' || this.#mailFrom !== undefined) this.#voice.say(badSequence);
    else if (this.#voice.answer('mail', from.address, ok)) this.#mailFrom = from;
  }

  #onRcpt(rest: string): void {
    const to = /^TO:/i.test(rest) ? parsePath(rest.slice(3)) : undefined;
    if (to === undefined || to.address === '') this.#voice.say(syntaxError);
    else if (this.#mailFrom === undefined) this.#voice.say(badSequence);
    else if (this.#voice.answer('rcpt', to.address, ok)) this.#rcptTo.push(to);
  }

  #onData(): void {
    if (this.#rcptTo.length === 0 || this.#chunks !== undefined) {
      this.#voice.say(badSequence);
      return;
    }
    if (!this.#voice.answer('data', '', { code: 354, text: 'go on' })) return;
    const reader = new DataReader(this.#settings.maxMessageBytes);
    this.#input.readWith(reader, (message) => this.#finish(reader.isTooLarge ? undefined : message, false));
  }

  #onBdat(rest: string): void {
    const match = /^(\d{1,10})( LAST)?$/i.exec(rest);
    if (match === null) {
      // Where the next command begins is not known.
      this.#voice.say(syntaxError);
      this.#voice.end();
      return;
    }
    const bytes = Number(match[1]);
    const done = (chunk: Buffer): void => this.#onChunk(chunk, bytes, match[2] !== undefined);
    if (bytes === 0) done(Buffer.alloc(0));
    else this.#input.readWith(new ChunkReader(bytes, this.#settings.maxMessageBytes), done);
  }

  #onChunk(chunk: Buffer, bytes: number, isLast: boolean): void {
    if (this.#rcptTo.length === 0) {
      this.#voice.say(badSequence);
      return;
    }
    const { maxMessageBytes } = this.#settings;
    this.#chunks ??= { parts: [], bytes: 0 };
    this.#chunks.bytes += bytes;
    const isTooLarge = this.#chunks.bytes > maxMessageBytes;
    if (!isTooLarge) this.#chunks.parts.push(chunk);
    if (isLast) this.#finish(isTooLarge ? undefined : Buffer.concat(this.#chunks.parts), true);
    else if (!this.#voice.answer('data', '', isTooLarge ? tooLarge : ok)) this.#forget();
  }

  /** `body` is missing when the message was too large. */
  #finish(body: Buffer | undefined, bdat: boolean): void {
    const rcptTo = this.#rcptTo;
    const mailFrom = this.#mailFrom as Mailbox;
    this.#forget();
    const isLmtp = this.#settings.options.lmtp === true;
    const answer = (address: string): boolean =>
      this.#voice.answer('dot', address, body === undefined ? tooLarge : accepted);
    // RFC 2033 §4.2: one answer for each recipient; in SMTP one for all, and the script hears the recipient when there is one only.
    const taken = isLmtp
      ? rcptTo.filter((to) => answer(to.address))
      : answer(rcptTo.length === 1 ? (rcptTo[0] as Mailbox).address : '')
        ? rcptTo
        : [];
    if (taken.length === 0 || body === undefined) return;
    this.#sequence += 1;
    const { onMessage } = this.#settings;
    const [hello, tls, connection, sequence] = [this.#hello, this.#isTls, this.#connection, this.#sequence];
    onMessage({ mailFrom, rcptTo: taken, body, hello, tls, bdat, connection, sequence });
  }

  #onStartTls(): void {
    const { secureContext } = this.#settings;
    if (secureContext === undefined || this.#isTls) {
      this.#voice.say(badSequence);
      return;
    }
    if (!this.#voice.answer('starttls', '', reply(220, '2.0.0', 'go on'))) return;
    // What stands behind STARTTLS in clear is not for us to read (RFC 3207 §4.2).
    this.#input.stop();
    this.#input = new SinkInput((line) => this.#command(line));
    this.#voice.flush();
    this.#socket.removeAllListeners('data');
    this.#socket = new TLSSocket(this.#socket, { isServer: true, secureContext });
    this.#voice.moveTo(this.#socket);
    this.#isTls = true;
    this.#hello = '';
    this.#forget();
    this.#listen();
  }

  #onAuth(rest: string): void {
    const [mechanism, token] = rest.split(' ');
    const { auth } = this.#settings.options;
    if (auth === undefined || mechanism?.toUpperCase() !== 'PLAIN' || token === undefined) {
      this.#voice.say(reply(504, '5.5.4', 'not offered'));
      return;
    }
    const [, user = '', password = ''] = Buffer.from(token, 'base64').toString('utf8').split('\0');
    const isRight = auth(user, password);
    this.#voice.say(isRight ? reply(235, '2.7.0', 'welcome') : reply(535, '5.7.8', 'wrong user or password'));
  }

  #forget(): void {
    this.#mailFrom = undefined;
    this.#rcptTo = [];
    this.#chunks = undefined;
  }
}
