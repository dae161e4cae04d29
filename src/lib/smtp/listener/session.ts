/**
 * The protocol of one SMTP session (RFC 5321 §4.1), without its socket: lines in, replies out.
 *
 *   greeting → EHLO|HELO → (STARTTLS → EHLO → AUTH)? → { MAIL → RCPT… → DATA | BDAT… }* → QUIT
 */

import { isUtf8 } from 'node:buffer';
import { limits } from '../../core/limits.ts';
import { internalErrorReply } from '../../core/precondition.ts';
import { type Response, reply } from '../../core/response.ts';
import type { Offer } from './esmtp-params.ts';
import { type Hello, HelloDialog } from './hello-dialog.ts';
import type { Payload } from './input-stream.ts';
import type { CommandLine } from './line-splitter.ts';
import { MailDialog } from './mail-dialog.ts';
import { encodeReply } from './reply-lines.ts';
import { ReplyQueue } from './reply-queue.ts';
import type { SessionFacts, SessionPort, SessionSettings } from './session-port.ts';

/** A promise only where there is something to wait for. */
type Dealt = Promise<Payload | undefined> | Payload | undefined;
type Verb = (session: SmtpSession, line: string) => Dealt;

const faults: Readonly<Record<NonNullable<CommandLine['fault']>, Response>> = {
  tooLong: reply(500, '5.5.2', 'command line too long'),
  lineBreak: reply(500, '5.5.2', 'bare CR or LF in command: lines must end with CRLF'),
  nul: reply(500, '5.5.2', 'NUL octet in command'),
};
const notUtf8 = reply(501, '5.5.2', 'command is not valid UTF-8');
const tooManyCommands = reply(421, '4.7.0', 'too many commands without a message, closing connection');
const shuttingDown = reply(421, '4.3.2', 'service is shutting down, closing connection');
const notHttp = reply(421, '4.7.0', 'this is not an HTTP server');
const unknownCommand = reply(500, '5.5.2', 'command not recognized');
const needHello = reply(503, '5.5.1', 'send EHLO or HELO first');
const ok = reply(250, '2.0.0', 'ok');
const help = reply(214, '2.0.0', 'EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP: see RFC 5321');
/** RFC 5321 §7.3: whether an address exists is not told here, but at RCPT. */
const notVerified = reply(252, '2.5.0', 'send some mail, we will try');
const needArgument = reply(501, '5.5.4', 'an argument is missing');
const notAvailable = reply(502, '5.5.1', 'EXPN is not available');
const goodbye = reply(221, '2.0.0', 'goodbye');
const HTTP_REQUEST = /^(?:OPTIONS|GET|HEAD|POST|PUT|DELETE|TRACE|CONNECT|PATCH) \S+ HTTP\/\d/i;
const NEEDS_HELLO = new Set(['MAIL', 'RCPT', 'DATA', 'BDAT']);
const NO_HELLO: Hello = { host: '', isEsmtp: false, isOfferedDsn: false };

export class SmtpSession {
  readonly #settings: SessionSettings;
  readonly #port: SessionPort;
  readonly #replies: ReplyQueue;
  readonly #hello: HelloDialog;
  readonly #mail: MailDialog;
  #errors = 0;
  /** Since the last accepted message; pieces of a message do not count. */
  #commands = 0;
  #isDraining = false;
  #knownOffer: Offer | undefined;
  #knownFacts: SessionFacts | undefined;
  /** What was said when the facts were put together. */
  #factsFor: Hello | undefined;

  constructor(settings: SessionSettings, port: SessionPort) {
    this.#settings = settings;
    this.#port = port;
    this.#replies = new ReplyQueue({
      write: (response) => {
        settings.meter?.reply(response.code);
        port.write(encodeReply(response));
      },
      flush: () => port.flush(),
    });
    const refuse = (response: Response): undefined => this.#refuse(response);
    this.#hello = new HelloDialog(settings, port, refuse);
    this.#mail = new MailDialog({
      settings,
      port,
      refuse,
      replies: this.#replies,
      offer: () => this.#offer(),
      facts: () => this.#facts(),
      onMessageEnd: (accepted) => {
        if (accepted) this.#errors = this.#commands = 0;
        this.#leaveIfDraining();
      },
    });
  }

  greet(): void {
    this.#port.write(this.#settings.greetings.opening);
    this.#port.flush();
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
  onLine(line: CommandLine): Dealt {
    try {
      const dealt = this.#dispatch(line);
      return dealt instanceof Promise ? dealt.then(this.#afterLine).catch(this.#onBug) : this.#afterLine(dealt);
    } catch (error) {
      return this.#onBug(error);
    }
  }

  readonly #afterLine = (payload: Payload | undefined): Dealt => {
    if (payload === undefined) this.#leaveIfDraining();
    return this.#port.writable()?.then(() => payload) ?? payload;
  };

  readonly #onBug = (error: unknown): undefined => {
    this.#settings.deps.log.error({ error, session: this.#port.id }, 'an SMTP command failed');
    this.#mail.reset();
    this.#replies.push(internalErrorReply);
  };

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

  get #said(): Hello {
    return this.#hello.hello ?? NO_HELLO;
  }

  #offer(): Offer {
    const { isEsmtp, isOfferedDsn } = this.#said;
    const known = this.#knownOffer;
    if (known !== undefined && known.isEsmtp === isEsmtp && known.offersDsn === isOfferedDsn) return known;
    const { maxBytes, offersAuth } = this.#settings;
    this.#knownOffer = { isEsmtp, maxBytes, offersAuth, offersDsn: isOfferedDsn };
    return this.#knownOffer;
  }

  /** The same object for all messages of a session, unless the client says hello again, or goes on in TLS, or logs in. */
  #facts(): SessionFacts {
    const { isSecure: tls, isAuthenticated: auth } = this.#port;
    const { host: ehloHost, isEsmtp: esmtp } = this.#said;
    const known = this.#knownFacts;
    if (known !== undefined && this.#factsFor === this.#said) {
      const { smtpMeta } = known;
      if (smtpMeta.tls === tls && smtpMeta.auth === auth) return known;
    }
    const { id, remoteHost, localHost } = this.#port;
    this.#factsFor = this.#said;
    this.#knownFacts = { id, remoteHost, localHost, smtpMeta: { ehloHost, esmtp, tls, auth } };
    return this.#knownFacts;
  }

  #dispatch(line: CommandLine): Dealt {
    if (line.fault !== undefined) {
      const { fault } = line;
      return this.#whenAnswered(() => {
        this.#port.abortAuth();
        return this.#refuse(faults[fault]);
      });
    }
    if (this.#port.isInAuth) return this.#port.authenticate(Buffer.from(line.bytes)).then(() => undefined);
    if (!line.isAscii && !isUtf8(line.bytes)) return this.#refuse(notUtf8);
    const text = line.bytes.toString(line.isAscii ? 'latin1' : 'utf8');
    const name = verbOf(text);
    if (name !== 'BDAT') this.#commands += 1;
    if (this.#commands > limits.smtpCommandsPerMessage) return this.#port.hangUp(tooManyCommands);
    // A recipient need not wait for the answers to what came before it.
    if (name === 'RCPT' || this.#replies.pending === 0) return this.#do(name, text);
    return this.#whenAnswered(() => this.#do(name, text));
  }

  #whenAnswered(step: () => Dealt): Dealt {
    return this.#replies.pending === 0 ? step() : this.#replies.idle().then(step);
  }

  #do(name: string, text: string): Dealt {
    const verb = name === 'BDAT' && !this.#settings.enableBdat ? undefined : SmtpSession.#verbs.get(name);
    if (verb === undefined && HTTP_REQUEST.test(text)) return this.#port.hangUp(notHttp);
    this.#settings.meter?.command(verb === undefined ? 'OTHER' : name);
    if (verb === undefined) return this.#refuse(unknownCommand);
    if (this.#hello.hello === undefined && NEEDS_HELLO.has(name)) return this.#refuse(needHello);
    return verb(this, text.trimEnd());
  }

  static readonly #verbs: ReadonlyMap<string, Verb> = new Map<string, Verb>([
    ['EHLO', (session, line) => session.#sayHello(line, true)],
    ['HELO', (session, line) => session.#sayHello(line, false)],
    ['STARTTLS', (session, line) => session.#hello.startTls(line, session.#mail.isOpen)],
    ['AUTH', (session, line) => session.#hello.auth(line, session.#mail.isOpen)],
    ['MAIL', (session, line) => session.#mail.mail(line)],
    ['RCPT', (session, line) => session.#mail.rcpt(line)],
    ['DATA', (session, line) => session.#mail.data(line)],
    ['BDAT', (session, line) => session.#mail.bdat(line)],
    ['RSET', (session, line) => session.#reset(line)],
    ['NOOP', (session) => session.#replies.push(ok)],
    ['HELP', (session) => session.#replies.push(help)],
    ['VRFY', (session, line) => (line.length > 4 ? session.#replies.push(notVerified) : session.#refuse(needArgument))],
    ['EXPN', (session) => session.#refuse(notAvailable)],
    ['QUIT', (session) => session.#port.takeLeave(goodbye)],
  ]);

  #sayHello(line: string, isEsmtp: boolean): undefined {
    if (this.#hello.say(line, isEsmtp)) this.#mail.reset();
  }

  #reset(line: string): undefined {
    if (line.length > 4) return this.#refuse(reply(501, '5.5.4', 'RSET has no parameters'));
    this.#mail.reset();
    return this.#replies.push(ok);
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

/** The letters a line begins with, in capitals. */
function verbOf(text: string): string {
  let end = 0;
  for (; end < text.length; end += 1) {
    const letter = text.charCodeAt(end) | 0x20;
    if (letter < 0x61 || letter > 0x7a) break;
  }
  return text.slice(0, end).toUpperCase();
}
