/** The commands that move mail: MAIL, RCPT, DATA and BDAT, in any pipelining, answered in order. */
import { limits } from '../../core/limits.ts';
import type { Mailbox } from '../../core/mailbox.ts';
import { isOk, type Response, reply } from '../../core/response.ts';
import { ChunkPayload, DataPayload } from './data-payload.ts';
import { checkMail, checkRcpt, type Offer, tooBig } from './esmtp-params.ts';
import type { Payload } from './input-stream.ts';
import { MailTransaction } from './mail-transaction.ts';
import { type Intake, MessageIntake } from './message-intake.ts';
import { parseMailFrom, parseRcptTo } from './path-command.ts';
import type { ReplyQueue } from './reply-queue.ts';
import type { SessionFacts, SessionPort, SessionSettings } from './session-port.ts';

export interface MailDialogOptions {
  readonly settings: SessionSettings;
  readonly port: SessionPort;
  readonly replies: ReplyQueue;
  readonly offer: () => Offer;
  readonly facts: () => SessionFacts;
  /** Answers a client's mistake. */
  readonly refuse: (response: Response) => undefined;
  /** A message was answered; `true` when it was accepted. */
  readonly onMessageEnd: (accepted: boolean) => void;
}

const badSequence = (text: string): Response => reply(503, '5.5.1', text);
const tooManyRcpts = reply(452, '4.5.3', 'too many recipients');
const goAhead: Response = { code: 354, text: 'end data with <CR><LF>.<CR><LF>' };
const DATA = /^DATA *$/i;
const BDAT = /^BDAT +(\d{1,15})( +LAST)?$/i;

export class MailDialog {
  readonly #options: MailDialogOptions;
  #tx: MailTransaction | undefined;
  #intake: MessageIntake | undefined;
  /** A BDAT transfer is under way: only BDAT, RSET and QUIT may come next (RFC 3030 §2). */
  #isChunking = false;
  /** Exchanges that have ended and are not closed yet. */
  #closings = 0;
  readonly #onClosed: (() => void)[] = [];

  constructor(options: MailDialogOptions) {
    this.#options = options;
  }

  /** A mail transaction is open. */
  get isOpen(): boolean {
    return this.#tx !== undefined && !this.#tx.isRefused;
  }

  /** Resolves when the exchanges that ended are closed. */
  get closed(): Promise<void> {
    if (this.#closings === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onClosed.push(resolve));
  }

  /** To be called, like `data`, when what came before is answered. */
  mail(line: string): undefined {
    const { replies, refuse, offer, settings, facts } = this.#options;
    if (this.isOpen) return refuse(badSequence('nested MAIL'));
    const { mailbox: from, refusal } = parseMailFrom(line);
    if (from === undefined) return refuse(refusal);
    const unacceptable = checkMail(from, offer());
    if (unacceptable !== undefined) return refuse(unacceptable);
    this.reset();
    const tx = new MailTransaction(settings.open(facts()), from);
    this.#tx = tx;
    tx.mail(replies.expect());
    return undefined;
  }

  rcpt(line: string): Promise<undefined> | undefined {
    const { replies, refuse, offer } = this.#options;
    const tx = this.#tx;
    if (tx === undefined) return refuse(badSequence('need MAIL first'));
    if (this.#isChunking) return refuse(badSequence('RCPT inside a BDAT transfer'));
    const { mailbox: to, refusal } = parseRcptTo(line);
    if (to === undefined) return refuse(refusal);
    const unacceptable = checkRcpt(to, offer(), tx.isSmtpUtf8);
    if (unacceptable !== undefined) return refuse(unacceptable);
    if (replies.pending > limits.rcptsPerTransaction) return replies.idle().then(() => this.#askRcpt(tx, to));
    return this.#askRcpt(tx, to);
  }

  #askRcpt(tx: MailTransaction, to: Mailbox): undefined {
    const { replies } = this.#options;
    if (tx.rcpts >= limits.rcptsPerTransaction) replies.push(tooManyRcpts);
    else tx.rcpt(to, replies.expect());
  }

  data(line: string): Payload | undefined {
    const { replies, refuse } = this.#options;
    if (!DATA.test(line)) return refuse(reply(501, '5.5.4', 'DATA has no parameters'));
    const tx = this.#tx;
    if (tx === undefined) return refuse(badSequence('need MAIL first'));
    if (this.#isChunking) return refuse(badSequence('DATA inside a BDAT transfer'));
    const refusal = tx.dataRefusal;
    if (refusal !== undefined) {
      replies.push(refusal);
      return undefined;
    }
    const intake = this.#newIntake();
    replies.push(goAhead);
    return new DataPayload(
      (content) => this.#take(intake, content),
      (done) => this.#deliver(tx, intake, done),
    );
  }

  async bdat(line: string): Promise<Payload | undefined> {
    const { replies, port } = this.#options;
    await replies.idle();
    const match = BDAT.exec(line);
    if (match === null) {
      // How many octets follow is unknown, and taking them for commands would be wrong.
      return port.hangUp(reply(501, '5.5.4', 'syntax: BDAT size [LAST]'));
    }
    const [, digits, last] = match;
    const size = Number(digits);
    const intake = this.#chunkIntake();
    const { maxBytes } = this.#options.settings;
    if (size > 2 * maxBytes) return port.hangUp(tooBig(maxBytes));
    const end = (done: () => void): void => this.#endChunk(intake, size, last !== undefined, done);
    if (size > 0) return new ChunkPayload(size, (content) => this.#take(intake, content), end);
    await new Promise<void>(end);
    return undefined;
  }

  /** Forgets the transaction: RSET, EHLO, the end of a message, the end of the session. */
  reset(): void {
    const tx = this.#tx;
    this.#tx = undefined;
    this.#isChunking = false;
    if (tx === undefined) return;
    const intake = this.#intake;
    this.#intake = undefined;
    this.#closings += 1;
    tx.close(() => {
      intake?.discard();
      this.#closings -= 1;
      if (this.#closings === 0) for (const wake of this.#onClosed.splice(0)) wake();
    });
  }

  #newIntake(): MessageIntake {
    const { spool, maxBytes, deps } = this.#options.settings;
    this.#intake = new MessageIntake(spool.writer({ maxBytes }), maxBytes, deps.log);
    return this.#intake;
  }

  /** Where the octets of a chunk go, or why they go nowhere: the client sends them in any case. */
  #chunkIntake(): MessageIntake | Response {
    const tx = this.#tx;
    if (tx === undefined) return badSequence('need MAIL first');
    const refusal = tx.dataRefusal;
    if (refusal !== undefined) return refusal;
    if (!this.#isChunking) {
      this.#isChunking = true;
      return this.#newIntake();
    }
    // An earlier chunk was refused for good; the client has not read that yet.
    return this.#intake ?? badSequence('the transfer has failed already');
  }

  #take(intake: MessageIntake | Response, content: Buffer): Promise<void> | undefined {
    if (!(intake instanceof MessageIntake)) return undefined;
    const taken = intake.take(content);
    if (intake.isGrosslyTooBig) this.#options.port.hangUp(tooBig(this.#options.settings.maxBytes));
    return taken;
  }

  #endChunk(intake: MessageIntake | Response, size: number, isLast: boolean, done: () => void): void {
    const tx = this.#tx;
    if (tx !== undefined && isLast && intake instanceof MessageIntake) {
      this.#deliver(tx, intake, done);
      return;
    }
    this.#answerChunk(intake, size, isLast);
    done();
  }

  #answerChunk(intake: MessageIntake | Response, size: number, isLast: boolean): void {
    const { replies } = this.#options;
    if (!(intake instanceof MessageIntake)) {
      if (isLast && this.#isChunking) this.reset();
      replies.push(intake);
      return;
    }
    if (this.#tx === undefined) return;
    const { refusal } = intake;
    replies.push(refusal ?? reply(250, '2.6.0', `${size} octets received`));
    if (refusal === undefined) return;
    intake.discard();
    this.#intake = undefined;
  }

  /** Calls back when the message is answered. */
  #deliver(tx: MailTransaction, intake: MessageIntake, done: () => void): void {
    const finished = intake.finish();
    if (finished instanceof Promise) void finished.then((result) => this.#offer(tx, result, done));
    else this.#offer(tx, finished, done);
  }

  #offer(tx: MailTransaction, { body, refusal }: Intake, done: () => void): void {
    // The client went away meanwhile, or the session was ended.
    if (this.#tx !== tx) done();
    else if (body === undefined) this.#conclude(tx, refusal, done);
    else tx.data(body, (response) => this.#conclude(tx, response, done));
  }

  #conclude(tx: MailTransaction, response: Response, done: () => void): void {
    const { replies, onMessageEnd } = this.#options;
    if (this.#tx === tx) this.reset();
    replies.push(response);
    onMessageEnd(isOk(response));
    done();
  }
}
