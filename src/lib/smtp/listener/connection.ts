/**
 * One client's connection. The library keeps the socket, its upgrade to TLS, and the AUTH mechanisms; lines, messages, replies and timing are
 * ours, because it delays the greeting, serialises recipients, rewrites addresses and cannot refuse before 354.
 */
import type { Socket } from 'node:net';
import type { SMTPServer } from 'smtp-server';
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js';
import type { HostPort } from '../../core/envelope.ts';
import { limits } from '../../core/limits.ts';
import { type Response, reply, responseFromText } from '../../core/response.ts';
import { oncePerTurn } from '../turn-end.ts';
import { InputStream } from './input-stream.ts';
import { encodeReply } from './reply-lines.ts';
import { SmtpSession } from './session.ts';
import type { SessionPort, SessionSettings } from './session-port.ts';

export interface ConnectionOptions {
  readonly server: SMTPServer;
  readonly socket: Socket;
  /** Identity, and addresses when a proxy told them. */
  readonly origin: SMTPConnectionOptions;
  readonly settings: SessionSettings;
  readonly idleMs: number;
  /** The connection does not count any longer. */
  readonly onEnd: () => void;
}

/** More than this is handed to the socket at once: it is the socket that notices a client who does not read. */
const UNSENT_MAX_CHARS = 16_384;

const timedOut = reply(421, '4.4.2', 'timeout, closing connection');
const tooManyAuthFailures = reply(421, '4.7.0', 'too many authentication failures');

export class Connection extends SMTPConnection implements SessionPort {
  readonly #options: ConnectionOptions;
  readonly #session: SmtpSession;
  #authFailures = 0;
  /** Replies that are not written yet. */
  #unsent = '';
  readonly #sendSoon = oncePerTurn(() => this.#send());
  /** The client does not read its replies. */
  #isBlocked = false;

  constructor(options: ConnectionOptions) {
    super(options.server, options.socket, options.origin);
    this.#options = options;
    this.#session = new SmtpSession(options.settings, this);
  }

  get protocol(): SmtpSession {
    return this.#session;
  }

  get remoteHost(): HostPort {
    return { host: this.remoteAddress, port: this.remotePort };
  }

  get localHost(): HostPort {
    return { host: this.localAddress, port: this.localPort };
  }

  get isSecure(): boolean {
    return this.secure;
  }

  get isAuthenticated(): boolean {
    return Boolean(this.session.user);
  }

  get isInAuth(): boolean {
    return this._nextHandler !== false;
  }

  /** Greets at once: there is no reverse lookup, and no pause to catch early talkers. */
  override init(): void {
    this._setListeners(() => {
      this._resetSession();
      this._ready = true;
      this.#session.greet();
    });
  }

  /** As the library does it, but the bytes go straight to where they are read. */
  override _setListeners(callback: () => void): void {
    this._socket.on('close', (hadError) => this._onCloseEvent(hadError));
    this._socket.on('error', (error) => this._onError(error));
    this._armTimeout();
    this.#input?.listen(this._socket);
    callback();
  }

  get #input(): InputStream | undefined {
    return this._parser instanceof InputStream ? this._parser : undefined;
  }

  /** Called by the library's constructor and for each TLS upgrade, the first time before our own fields exist. */
  override _createParser(): InputStream {
    return new InputStream({
      onLine: (line) => this.#session.onLine(line),
      now: () => this.#options.settings.deps.clock.monotonicMs(),
      onLate: () => this.hangUp(timedOut),
      // A line may begin when the idle time is nearly over.
      lineMs: () => 2 * this.#options.idleMs,
      onPause: () => this.flush(),
      onBug: (error) => {
        this.#options.settings.deps.log.error({ error, session: this.id }, 'an SMTP session failed');
        this.hangUp(reply(421, '4.3.0', 'internal error, try again later'));
      },
    });
  }

  write(text: string): void {
    if (this._upgrading || this._closing || this._socket.destroyed || !this._socket.writable) return;
    this.#unsent += text;
    if (this.#unsent.length >= UNSENT_MAX_CHARS) this.#send();
  }

  /** Replies to pipelined commands leave in one segment, too (RFC 2920 §3.2). */
  flush(): void {
    if (this.#unsent !== '') this.#sendSoon();
  }

  /** Writes the replies that are there. */
  #send(): void {
    const text = this.#unsent;
    this.#unsent = '';
    if (text !== '' && this._socket.writable) this._socket.write(text);
  }

  writable(): Promise<void> | undefined {
    const socket = this._socket;
    if (!socket.writableNeedDrain || socket.destroyed) return undefined;
    this.#isBlocked = true;
    return new Promise<void>((resolve) => {
      const done = (): void => {
        socket.off('drain', done).off('close', done);
        this.#isBlocked = false;
        resolve();
      };
      socket.on('drain', done).on('close', done);
    });
  }

  async authenticate(line: Buffer): Promise<void> {
    const step = this._nextHandler === false ? this.handler_AUTH : this._nextHandler;
    this._nextHandler = false;
    await new Promise<void>((resolve) => step.call(this, line, resolve));
    if (this.isInAuth || this.isAuthenticated) return;
    this.#authFailures += 1;
    if (this.#authFailures >= limits.smtpAuthFailuresPerSession) this.hangUp(tooManyAuthFailures);
  }

  abortAuth(): void {
    this._nextHandler = false;
  }

  startTls(): void {
    this.#send();
    this.#input?.stopListening();
    this.upgrade(
      () => undefined,
      () => {
        // The library lets the socket write to the parser, which takes the bytes itself.
        const input = this.#input;
        if (input !== undefined) this._socket.unpipe(input);
        input?.listen(this._socket);
        this.#session.onSecured();
      },
    );
  }

  hangUp(response: Response): undefined {
    this.write(encodeReply(response));
    this.close();
  }

  /**
   * Who has nothing more to say need not be listened to until its side is closed, too. Only a connection with bytes that nobody has read must not be
   * closed at once: the system would take back the reply with it. In TLS the client has a last word to say.
   */
  takeLeave(response: Response): undefined {
    if (this.secure || this.#input?.isEmpty !== true) return this.hangUp(response);
    this.write(encodeReply(response));
    this.#send();
    // A client that does not read its replies: what it still sends is not to be listened to.
    if (this._socket.writableLength > 0) this.close();
    else {
      this._socket.destroy();
      this.#end();
    }
    return undefined;
  }

  /** How the library answers, in AUTH above all; its texts have no enhanced codes of their own. */
  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    const response = responseFromText(code, Array.isArray(data) ? data.join('\n') : (data ?? ''));
    const enhanced = response.enhanced ?? this._getEnhancedStatusCode(code, context);
    const full = enhanced === '' ? response : { ...response, enhanced };
    if (code === 421) this.hangUp(full);
    else this.write(encodeReply(full));
    this.flush();
  }

  /** Drops a connection that was hung up as soon as its last reply is out, without waiting for the peer to close its side. */
  leave(): void {
    if (this._closing) this._socket.destroySoon();
  }

  override close(): void {
    this.#send();
    super.close();
    this.#end();
  }

  override _onClose(): void {
    super._onClose();
    this.#end();
  }

  /** Only who owes us input can be late with it. */
  override _onTimeout(): void {
    if (this._closing) {
      this._socket.destroy();
      return;
    }
    if (!this.#isBlocked && (this.#input?.isWorking === true || this.#session.isAnswering)) this._armTimeout();
    else this.hangUp(timedOut);
  }

  #end(): void {
    this.#session.onClosed();
    this.#options.onEnd();
  }
}
