/**
 * An SMTP or LMTP session that is ready for mail: greeted, introduced and secured. One transaction at a time; calls may be issued before
 * earlier ones resolve. Nothing here rejects for what the server does or the network does: that is a `Response`.
 */
import type { Body } from '../../core/body.ts';
import type { Clock } from '../../core/deps.ts';
import type { HostPort } from '../../core/envelope.ts';
import { limits } from '../../core/limits.ts';
import type { Mailbox } from '../../core/mailbox.ts';
import { isOk, type ReplySource, type Response, reply } from '../../core/response.ts';
import { inDoubt } from '../../core/uncertainty.ts';
import { sendBdat } from './bdat.ts';
import type { Capabilities } from './capabilities.ts';
import { type CommandLine, mailLine, rcptLine } from './command-line.ts';
import { AFTER_MESSAGE, DataTransfer } from './data.ts';
import type { Dialogue } from './dialogue.ts';
import type { ClientProfile, Destination } from './profile.ts';

export interface SessionFacts {
  readonly destination: Destination;
  readonly capabilities: Capabilities;
  /** What the server calls itself. */
  readonly name?: string | undefined;
  readonly isSecured: boolean;
}

export interface MessageAsk {
  readonly body: Body;
  /** How many replies come: in LMTP one for each accepted recipient, in their order (RFC 2033 §4.2). */
  readonly acceptedRcpts: number;
  /** Largest chunk of BDAT, in bytes; when absent, or when the server does not offer CHUNKING, DATA is used. */
  readonly bdatChunkBytes?: number | undefined;
}

export class SmtpConnection {
  readonly capabilities: Capabilities;
  readonly name: string | undefined;
  readonly isSecured: boolean;
  readonly destination: Destination;
  /** Transactions begun on it. */
  transactions = 0;
  readonly #dialogue: Dialogue;
  readonly #clock: Clock;
  /** The server may remember something of a transaction. */
  #isDirty = false;
  #isSending = false;
  /** Asked for together with the envelope, and not yet made use of. */
  #data: DataTransfer | undefined;
  #mta: string | undefined;
  #source: ReplySource | undefined;

  constructor(dialogue: Dialogue, clock: Clock, facts: SessionFacts) {
    this.#dialogue = dialogue;
    this.#clock = clock;
    this.destination = facts.destination;
    this.capabilities = facts.capabilities;
    this.name = facts.name;
    this.isSecured = facts.isSecured;
    dialogue.pipelining = facts.capabilities.has('PIPELINING');
  }

  get profile(): ClientProfile {
    return this.destination.profile;
  }

  get isOpen(): boolean {
    return this.#dialogue.isOpen;
  }

  /** Aborts when the connection is over. */
  get closed(): AbortSignal {
    return this.#dialogue.closed;
  }

  /** In the middle of something: the only way to end that is to drop the connection. */
  get isBusy(): boolean {
    return this.#isSending || this.#dialogue.isWaiting || this.#data?.isOpen === true;
  }

  /** The next transaction can begin without RSET. */
  get isClean(): boolean {
    return this.isOpen && !this.isBusy && !this.#isDirty;
  }

  get isPipelining(): boolean {
    return this.#dialogue.pipelining;
  }

  get peer(): HostPort {
    const { remoteAddress, remotePort } = this.#dialogue.socket;
    return { host: remoteAddress ?? this.destination.host, port: remotePort ?? this.destination.port };
  }

  /** How reports call the server (RFC 3464 §2.3.5): by its name, or by its address in brackets. */
  get mta(): string {
    this.#mta ??= this.name ?? inBrackets(this.peer.host);
    return this.#mta;
  }

  /** Who its replies are from. */
  get source(): ReplySource {
    this.#source ??= { mta: this.mta };
    return this.#source;
  }

  mail(from: Mailbox): Promise<Response> {
    return new Promise((resolve) => {
      this.askMail(from, resolve);
      this.#dialogue.flush();
    });
  }

  rcpt(to: Mailbox): Promise<Response> {
    return new Promise((resolve) => {
      this.askRcpt(to, resolve);
      this.#dialogue.flush();
    });
  }

  /** As `mail`, but it leaves with the next `flush`, and the answer is heard in the callback that brings it, which may be this very call. */
  askMail(from: Mailbox, hear: (response: Response) => void): void {
    const command = mailLine(from);
    if (!('refusal' in command)) {
      this.transactions += 1;
      this.#data = undefined;
      this.#isDirty = true;
    }
    this.#command(command, 'at MAIL', hear);
  }

  askRcpt(to: Mailbox, hear: (response: Response) => void): void {
    this.#command(rcptLine(to), 'at RCPT', hear);
  }

  /** Has what was asked for written at the end of the turn, together with what else is asked for until then. */
  flush(): void {
    this.#dialogue.flush();
  }

  /** Sends the message; the answers are those to its recipients, or one for all in SMTP. */
  message(ask: MessageAsk): Promise<readonly Response[]> {
    return new Promise((resolve) => this.askMessage(ask, resolve));
  }

  /** As `message`; heard in the callback that brings the last answer. */
  askMessage(ask: MessageAsk, hear: (answers: readonly Response[]) => void): void {
    const replies = this.profile.protocol === 'lmtp' ? ask.acceptedRcpts : 1;
    const release = ask.body.retain();
    this.#isSending = true;
    const onAnswers = (answers: readonly Response[]): void => {
      this.#isSending = false;
      release();
      hear(this.#ended(answers));
    };
    const { bdatChunkBytes, body } = ask;
    if (bdatChunkBytes !== undefined && this.capabilities.has('CHUNKING')) {
      void sendBdat(this.#dialogue, body, replies, bdatChunkBytes).then(onAnswers);
      return;
    }
    const data = this.#data ?? new DataTransfer(this.#dialogue);
    this.#data = undefined;
    data.send({ body, replies, hear: onAnswers });
    this.#dialogue.flush();
  }

  /** Asks for DATA before the recipients are answered (RFC 2920 §3.1); `askMessage`, or `withdrawData`, says what comes of it. */
  askData(): void {
    this.#data = new DataTransfer(this.#dialogue);
  }

  /** No message follows, because there is no recipient for it. `done` is called when the connection may be given back. */
  withdrawData(done: () => void): void {
    if (this.#data === undefined) done();
    else {
      this.#data.withdraw(() => {
        this.#data = undefined;
        done();
      });
    }
  }

  #ended(answers: readonly Response[]): readonly Response[] {
    const odd = answers.find(isIntermediate);
    if (odd !== undefined) return [inDoubt(this.#protocolError(odd, AFTER_MESSAGE))];
    // RFC 5321 §4.1.1.4: the server forgets the transaction at the end of the data. After a refusal RSET makes sure.
    if (answers.every(isOk)) this.#isDirty = false;
    return answers;
  }

  /** Makes the session ready for another transaction; a server that does not answer soon, or with an error, loses the connection. */
  async reset(): Promise<boolean> {
    if (!this.isOpen || this.isBusy) return false;
    const response = await this.#within(limits.smtpRsetMs, this.#dialogue.ask('RSET', 'at RSET'));
    this.#isDirty = !isOk(response);
    return this.isClean;
  }

  /** Says goodbye and closes; in the middle of something it just closes. */
  async quit(): Promise<void> {
    if (this.isOpen && !this.isBusy) await this.#within(limits.smtpQuitMs, this.#dialogue.ask('QUIT', 'at QUIT'));
    this.destroy();
  }

  destroy(): void {
    this.#dialogue.destroy();
  }

  #command(command: CommandLine, step: string, hear: (response: Response) => void): void {
    if ('refusal' in command) {
      hear(command.refusal);
      return;
    }
    const settle = (response: Response): void =>
      hear(isIntermediate(response) ? this.#protocolError(response, step) : response);
    this.#dialogue.command(command.line, { step, settle });
  }

  #protocolError(response: Response, step: string): Response {
    this.destroy();
    return reply(450, '4.5.0', `protocol error: unexpected reply ${response.code} ${step}`);
  }

  async #within(timeoutMs: number, answer: Promise<Response>): Promise<Response> {
    const over = new AbortController();
    void this.#clock.sleep(timeoutMs, over.signal).then(() => {
      if (!over.signal.aborted) this.destroy();
    });
    try {
      return await answer;
    } finally {
      over.abort();
    }
  }
}

/** Neither yes nor no: it has no place after MAIL, RCPT or a message. */
function isIntermediate(response: Response): boolean {
  return response.code < 400 && !isOk(response);
}

function inBrackets(host: string): string {
  return host.includes(':') ? `[IPv6:${host}]` : `[${host}]`;
}
