/**
 * The protocol of one SMTP session (RFC 5321 §4.1), without its socket: lines in, replies out.
 *
 *   greeting → EHLO|HELO → (STARTTLS → EHLO → AUTH)? → { MAIL → RCPT… → DATA | BDAT… }* → QUIT
 */
import { limits } from '../../core/limits.ts';
import { internalErrorReply } from '../../core/precondition.ts';
import { type Response, reply } from '../../core/response.ts';
import type { Offer } from './esmtp-params.ts';
import { HelloDialog } from './hello-dialog.ts';
import type { Payload } from './input-stream.ts';
import type { CommandLine } from './line-splitter.ts';
import { MailDialog } from './mail-dialog.ts';
import { encodeReply } from './reply-lines.ts';
import { ReplyQueue } from './reply-queue.ts';
import type { SessionFacts, SessionPort, SessionSettings } from './session-port.ts';

type Verb = (line: string) => Promise<Payload | undefined> | undefined;

const faults: Readonly<Record<NonNullable<CommandLine['fault']>, Response>> = {
  tooLong: reply(500, '5.5.2', 'command line too long'),
  lineBreak: reply(500, '5.5.2', 'bare CR or LF in command: lines must end with CRLF'),
  nul: reply(500, '5.5.2', 'NUL octet in command'),
};
const notUtf8 = reply(501, '5.5.2', 'command is not valid UTF-8');
const tooManyCommands = reply(421, '4.7.0', 'too many commands without a message, closing connection');
const shuttingDown = reply(421, '4.3.2', 'service is shutting down, closing connection');
const needHello = reply(503, '5.5.1', 'send EHLO or HELO first');
const HTTP_REQUEST = /^(?:OPTIONS|GET|HEAD|POST|PUT|DELETE|TRACE|CONNECT|PATCH) \S+ HTTP\/\d/i;
const NEEDS_HELLO = new Set(['MAIL', 'RCPT', 'DATA', 'BDAT']);

export class SmtpSession {
  readonly #settings: SessionSettings;
  readonly #port: SessionPort;
  readonly #replies: ReplyQueue;
  readonly #hello: HelloDialog;
  readonly #mail: MailDialog;
  readonly #verbs: ReadonlyMap<string, Verb>;
  #errors = 0;
  /** Since the last accepted message; pieces of a message do not count. */
  #commands = 0;
  #isDraining = false;

  constructor(settings: SessionSettings, port: SessionPort) {
    this.#settings = settings;
    this.#port = port;
    this.#replies = new ReplyQueue((response) => {
      settings.meter?.reply(response.code);
      port.write(encodeReply(response));
    });
    const refuse = (response: Response): undefined => this.#refuse(response);
    this.#hello = new HelloDialog(settings, port, refuse);
    this.#mail = new MailDialog({
      settings,
      port,
      refuse,
      replies: this.#replies,
      offer: () => this.#offer,
      facts: () => this.#facts,
      onMessageEnd: (accepted) => {
        if (accepted) this.#errors = this.#commands = 0;
        this.#leaveIfDraining();
      },
    });
    this.#verbs = this.#makeVerbs();
  }

  /** RFC 5321 §3.1; a greeting has no enhanced code. */
  greet(): void {
    this.#port.write(encodeReply({ code: 220, text: `${this.#settings.hostName} ESMTP Koukan` }, { isPlain: true }));
  }

  /** Replies are outstanding, and it is not the client we wait for. */
  get isAnswering(): boolean {
    return this.#replies.pending > 0;
  }

  /** Resolves when the exchanges that ended so far are closed. */
  get closed(): Promise<void> {
    return this.#mail.closed;
  }

  /** Deals with one line. Never rejects. */
  async onLine(line: CommandLine): Promise<Payload | undefined> {
    try {
      const payload = await this.#dispatch(line);
      if (payload === undefined) this.#leaveIfDraining();
      await this.#port.writable();
      return payload;
    } catch (error) {
      this.#settings.deps.log.error({ error, session: this.#port.id }, 'an SMTP command failed');
      this.#mail.reset();
      this.#replies.push(internalErrorReply);
      return undefined;
    }
  }

  onSecured(): void {
    this.#hello.forget();
    this.#mail.reset();
  }

  /** The connection is gone: what was not finished is cancelled. */
  onClosed(): void {
    this.#mail.reset();
  }

  /** Ends the session as soon as no mail transaction is open. */
  drain(): void {
    this.#isDraining = true;
    this.#leaveIfDraining();
  }

  /** Ends the session now; an open transaction is cancelled. */
  shutDown(): void {
    this.#port.hangUp(shuttingDown);
  }

  get #offer(): Offer {
    const { maxBytes, offersAuth } = this.#settings;
    const { isEsmtp = false, isOfferedDsn: offersDsn = false } = this.#hello.hello ?? {};
    return { isEsmtp, maxBytes, offersAuth, offersDsn };
  }

  get #facts(): SessionFacts {
    const { id, remoteHost, localHost, isSecure: tls, isAuthenticated: auth } = this.#port;
    const { host: ehloHost = '', isEsmtp: esmtp = false } = this.#hello.hello ?? {};
    return { id, remoteHost, localHost, smtpMeta: { ehloHost, esmtp, tls, auth } };
  }

  async #dispatch(line: CommandLine): Promise<Payload | undefined> {
    if (line.fault !== undefined) {
      await this.#replies.idle();
      this.#port.abortAuth();
      return this.#refuse(faults[line.fault]);
    }
    if (this.#port.isInAuth) {
      await this.#port.authenticate(line.bytes);
      return undefined;
    }
    const text = line.bytes.toString('utf8');
    if (!Buffer.from(text).equals(line.bytes)) return this.#refuse(notUtf8);
    const name = /^[A-Za-z]+/.exec(text)?.[0].toUpperCase() ?? '';
    if (name !== 'BDAT') this.#commands += 1;
    if (this.#commands > limits.smtpCommandsPerMessage) return this.#port.hangUp(tooManyCommands);
    // A recipient need not wait for the answers to what came before it.
    if (name !== 'RCPT') await this.#replies.idle();
    if (HTTP_REQUEST.test(text)) return this.#port.hangUp(reply(421, '4.7.0', 'this is not an HTTP server'));
    const verb = this.#verbs.get(name);
    this.#settings.meter?.command(verb === undefined ? 'OTHER' : name);
    if (verb === undefined) return this.#refuse(reply(500, '5.5.2', 'command not recognized'));
    if (NEEDS_HELLO.has(name) && this.#hello.hello === undefined) return this.#refuse(needHello);
    return verb(text.trimEnd());
  }

  #makeVerbs(): ReadonlyMap<string, Verb> {
    const say = (code: number, enhanced: string, text: string) => (): undefined => {
      this.#replies.push(reply(code, enhanced, text));
    };
    const bdat: [string, Verb][] = this.#settings.enableBdat ? [['BDAT', (line) => this.#mail.bdat(line)]] : [];
    return new Map<string, Verb>([
      ['EHLO', (line) => this.#sayHello(line, true)],
      ['HELO', (line) => this.#sayHello(line, false)],
      ['STARTTLS', (line) => this.#hello.startTls(line, this.#mail.isOpen)],
      ['AUTH', (line) => this.#hello.auth(line, this.#mail.isOpen)],
      ['MAIL', (line) => this.#mail.mail(line)],
      ['RCPT', (line) => this.#mail.rcpt(line)],
      ['DATA', (line) => this.#mail.data(line)],
      ...bdat,
      ['RSET', (line) => this.#reset(line)],
      ['NOOP', say(250, '2.0.0', 'ok')],
      ['HELP', say(214, '2.0.0', 'EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP: see RFC 5321')],
      // RFC 5321 §7.3: whether an address exists is not told here, but at RCPT.
      ['VRFY', (line) => (line.length > 4 ? say(252, '2.5.0', 'send some mail, we will try') : this.#needsArgument)()],
      ['EXPN', () => this.#refuse(reply(502, '5.5.1', 'EXPN is not available'))],
      ['QUIT', () => this.#port.hangUp(reply(221, '2.0.0', 'goodbye'))],
    ]);
  }

  #needsArgument = (): undefined => this.#refuse(reply(501, '5.5.4', 'an argument is missing'));

  #sayHello(line: string, isEsmtp: boolean): undefined {
    if (this.#hello.say(line, isEsmtp)) this.#mail.reset();
  }

  #reset(line: string): undefined {
    if (line.length > 4) return this.#refuse(reply(501, '5.5.4', 'RSET has no parameters'));
    this.#mail.reset();
    this.#replies.push(reply(250, '2.0.0', 'ok'));
    return undefined;
  }

  /** Answers a mistake of the client; one who makes too many is not listened to any longer. */
  #refuse(response: Response): undefined {
    this.#errors += 1;
    if (this.#errors >= limits.smtpErrorsPerSession) {
      return this.#port.hangUp(reply(421, '4.7.0', 'too many errors, closing connection'));
    }
    this.#replies.push(response);
    return undefined;
  }

  #leaveIfDraining(): void {
    if (!this.#isDraining) return;
    void this.#replies.idle().then(() => {
      if (!this.#mail.isOpen && this.#replies.pending === 0) {
        this.shutDown();
      }
    });
  }
}
