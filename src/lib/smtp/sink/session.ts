/** One connection of a sink: reads commands and messages as they come, in any segments, and answers all that is complete in one write. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { limits } from '../../core/limits.ts';
import type { Mailbox } from '../../core/mailbox.ts';
import { type Response, reply, responseLines } from '../../core/response.ts';
import { ChunkReader, DataReader } from './message-reader.ts';
import { parsePath } from './path.ts';
import type { SinkAnswer, SinkStage } from './script.ts';
import type { SinkSettings } from './sink.ts';

const EXTENSIONS = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'CHUNKING', 'ENHANCEDSTATUSCODES'];
const ok = reply(250, '2.0.0', 'OK');
const badSequence = reply(503, '5.5.1', 'bad sequence of commands');
const syntaxError = reply(501, '5.5.4', 'syntax error');

export class SinkSession {
  readonly #settings: SinkSettings;
  readonly #connection: number;
  #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #out = '';
  /** Silent for ever: the script said so. */
  #isHanging = false;
  #hello = '';
  #isTls = false;
  #sequence = 0;
  #mailFrom: Mailbox | undefined;
  #rcptTo: Mailbox[] = [];
  #data: DataReader | undefined;
  #chunk: { readonly reader: ChunkReader; readonly isLast: boolean } | undefined;
  #bdatParts: Buffer[] | undefined;

  constructor(socket: Socket, settings: SinkSettings, connection: number) {
    this.#socket = socket;
    this.#settings = settings;
    this.#connection = connection;
  }

  start(): void {
    this.#listen();
    this.#answer('connect', '', reply(220, '', 'koukan fake smtpd ESMTP'));
    this.#flush();
  }

  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk));
    // A client that goes away is not our concern.
    this.#socket.on('error', () => this.#socket.destroy());
  }

  #read(chunk: Buffer): void {
    let rest: Buffer | undefined = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = Buffer.alloc(0);
    while (rest !== undefined && rest.length > 0 && !this.#isHanging) rest = this.#step(rest);
    this.#flush();
  }

  /** Takes what is complete off the front; `undefined` when more has to come. */
  #step(bytes: Buffer): Buffer | undefined {
    if (this.#data !== undefined) return this.#readData(this.#data, bytes);
    if (this.#chunk !== undefined) return this.#readChunk(bytes);
    const end = bytes.indexOf(0x0a);
    if (end === -1) {
      this.#rest = bytes;
      if (bytes.length > limits.smtpCommandLineBytes) this.#socket.destroy();
      return undefined;
    }
    const line = bytes.toString('utf8', 0, end > 0 && bytes[end - 1] === 0x0d ? end - 1 : end);
    const before = this.#socket;
    this.#settings.onCommand(line);
    this.#command(line);
    // What stands behind STARTTLS in clear is not for us to read.
    return this.#socket === before ? bytes.subarray(end + 1) : undefined;
  }

  #command(line: string): void {
    const space = line.indexOf(' ');
    const verb = (space === -1 ? line : line.slice(0, space)).toUpperCase();
    const rest = space === -1 ? '' : line.slice(space + 1).trim();
    switch (verb) {
      case 'EHLO':
      case 'LHLO':
      case 'HELO':
        this.#onHello(verb, rest);
        break;
      case 'MAIL':
        this.#onMail(rest);
        break;
      case 'RCPT':
        this.#onRcpt(rest);
        break;
      case 'DATA':
        this.#onData();
        break;
      case 'BDAT':
        this.#onBdat(rest);
        break;
      case 'RSET':
        this.#forget();
        this.#say(ok);
        break;
      case 'STARTTLS':
        this.#onStartTls();
        break;
      case 'AUTH':
        this.#onAuth(rest);
        break;
      case 'NOOP':
        this.#say(ok);
        break;
      case 'QUIT':
        this.#say(reply(221, '2.0.0', 'bye'));
        this.#flush();
        this.#socket.end();
        break;
      default:
        this.#say(reply(500, '5.5.1', 'unknown command'));
    }
  }

  #onHello(verb: string, name: string): void {
    const { options, maxMessageBytes, secureContext } = this.#settings;
    const isExtended = verb !== 'HELO';
    if ((isExtended && options.noEhlo) || (verb === 'LHLO') !== (options.lmtp === true)) {
      this.#say(reply(500, '5.5.1', 'unknown command'));
      return;
    }
    this.#forget();
    this.#hello = name;
    const keywords = [...(options.extensions ?? [...EXTENSIONS, `SIZE ${maxMessageBytes}`])];
    if (secureContext !== undefined && !this.#isTls) keywords.push('STARTTLS');
    if (options.auth !== undefined) keywords.push('AUTH PLAIN');
    const lines = isExtended ? ['koukan fake smtpd', ...keywords] : ['koukan fake smtpd'];
    this.#answer('hello', name, { code: 250, text: lines.join('\n') });
  }

  #onMail(rest: string): void {
    const from = /^FROM:/i.test(rest) ? parsePath(rest.slice(5)) : undefined;
    if (from === undefined) this.#say(syntaxError);
    else if (this.#hello === '' || this.#mailFrom !== undefined) this.#say(badSequence);
    else if (this.#answer('mail', from.address, ok)) this.#mailFrom = from;
  }

  #onRcpt(rest: string): void {
    const to = /^TO:/i.test(rest) ? parsePath(rest.slice(3)) : undefined;
    if (to === undefined || to.address === '') this.#say(syntaxError);
    else if (this.#mailFrom === undefined) this.#say(badSequence);
    else if (this.#answer('rcpt', to.address, ok)) this.#rcptTo.push(to);
  }

  #onData(): void {
    if (this.#rcptTo.length === 0 || this.#bdatParts !== undefined) this.#say(badSequence);
    else if (this.#answer('data', '', { code: 354, text: 'go on' })) this.#data = new DataReader();
  }

  #onBdat(rest: string): void {
    const match = /^(\d{1,10})( LAST)?$/i.exec(rest);
    if (match === null) {
      this.#say(syntaxError);
      this.#socket.end();
      return;
    }
    this.#chunk = { reader: new ChunkReader(Number(match[1])), isLast: match[2] !== undefined };
    if (Number(match[1]) === 0) this.#readChunk(Buffer.alloc(0));
  }

  #readData(reader: DataReader, bytes: Buffer): Buffer | undefined {
    const done = reader.feed(bytes);
    const isTooLarge = reader.bytes > this.#settings.maxMessageBytes;
    if (done === undefined) {
      if (isTooLarge) reader.discard();
      return undefined;
    }
    this.#data = undefined;
    this.#finish(done.message, isTooLarge || done.message.length > this.#settings.maxMessageBytes, false);
    return done.rest;
  }

  #readChunk(bytes: Buffer): Buffer | undefined {
    const chunk = this.#chunk;
    const done = chunk?.reader.feed(bytes);
    if (chunk === undefined || done === undefined) return undefined;
    this.#chunk = undefined;
    if (this.#rcptTo.length === 0) {
      this.#say(badSequence);
      return done.rest;
    }
    this.#bdatParts = [...(this.#bdatParts ?? []), done.message];
    if (chunk.isLast) {
      const body = Buffer.concat(this.#bdatParts);
      this.#finish(body, body.length > this.#settings.maxMessageBytes, true);
    } else if (!this.#answer('data', '', ok)) this.#forget();
    return done.rest;
  }

  #finish(body: Buffer, isTooLarge: boolean, bdat: boolean): void {
    const rcptTo = this.#rcptTo;
    const mailFrom = this.#mailFrom as Mailbox;
    this.#forget();
    const usual = isTooLarge
      ? reply(552, '5.3.4', 'message too large')
      : reply(250, '2.0.0', 'message accepted for delivery');
    const only = rcptTo.length === 1 ? (rcptTo[0]?.address ?? '') : '';
    const asked = this.#settings.options.lmtp === true ? rcptTo.map((to) => to.address) : [only];
    const accepted = asked.map((address) => this.#answer('dot', address, usual));
    const taken = asked.length === rcptTo.length ? rcptTo.filter((_, i) => accepted[i]) : accepted[0] ? rcptTo : [];
    if (taken.length === 0) return;
    this.#sequence += 1;
    this.#settings.onMessage({
      mailFrom,
      rcptTo: taken,
      body,
      hello: this.#hello,
      tls: this.#isTls,
      bdat,
      connection: this.#connection,
      sequence: this.#sequence,
    });
  }

  #onStartTls(): void {
    const { secureContext } = this.#settings;
    if (secureContext === undefined || this.#isTls) {
      this.#say(badSequence);
      return;
    }
    if (!this.#answer('starttls', '', reply(220, '2.0.0', 'go on'))) return;
    this.#flush();
    this.#socket.removeAllListeners('data');
    this.#socket = new TLSSocket(this.#socket, { isServer: true, secureContext });
    this.#isTls = true;
    this.#hello = '';
    this.#forget();
    this.#listen();
  }

  #onAuth(rest: string): void {
    const [mechanism, token] = rest.split(' ');
    const { auth } = this.#settings.options;
    if (auth === undefined || mechanism?.toUpperCase() !== 'PLAIN' || token === undefined) {
      this.#say(reply(504, '5.5.4', 'not offered'));
      return;
    }
    const [, user = '', password = ''] = Buffer.from(token, 'base64').toString('utf8').split('\0');
    this.#say(auth(user, password) ? reply(235, '2.7.0', 'welcome') : reply(535, '5.7.8', 'wrong user or password'));
  }

  #forget(): void {
    this.#mailFrom = undefined;
    this.#rcptTo = [];
    this.#bdatParts = undefined;
  }

  /** Gives the script's answer or the usual one; says whether it was a positive reply. */
  #answer(stage: SinkStage, address: string, usual: Response): boolean {
    if (this.#isHanging || this.#socket.destroyed) return false;
    const answer: SinkAnswer = this.#settings.script(stage, address) ?? usual;
    if (answer === 'drop') {
      this.#flush();
      this.#socket.destroy();
      return false;
    }
    if (answer === 'hang') {
      this.#isHanging = true;
      return false;
    }
    this.#say(answer);
    // RFC 5321 §3.8: 421 announces the end of the connection.
    if (answer.code === 421) {
      this.#flush();
      this.#socket.end();
    }
    return answer.code < 400;
  }

  #say(response: Response): void {
    const lines = response.enhanced === '' ? [response.text] : responseLines(response);
    lines.forEach((line, i) => {
      this.#out += `${response.code}${i < lines.length - 1 ? '-' : ' '}${line}\r\n`;
    });
  }

  #flush(): void {
    if (this.#out === '' || this.#socket.destroyed) return;
    const out = this.#out;
    this.#out = '';
    this.#socket.write(out);
  }
}
