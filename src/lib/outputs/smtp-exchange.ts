/**
 * One transaction with a destination. MAIL and the recipients asked for at the same time leave in one write. Until MAIL is answered a used
 * connection may turn out to be stale; then everything is asked once more on a new one. After that, nothing is ever sent twice.
 */
import type { Body } from '../core/body.ts';
import type { Log } from '../core/deps.ts';
import { must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { cancelledReply, internalErrorReply, mailFailed } from '../core/precondition.ts';
import { formatResponse, isOk, isTemporary, type Response, reply } from '../core/response.ts';
import { SmtpConnection } from '../smtp/client/connection.ts';
import type { PoolAsk, SmtpPool } from '../smtp/client/pool.ts';
import { contentRefusal } from './smtp-content.ts';
import { fitMail, fitRcpt, hasSmtputf8 } from './smtp-params.ts';
import { noneAccepted, noRecipients, SmtpRecipient } from './smtp-recipient.ts';
import { saidAtEndBy, saidBy } from './smtp-source.ts';

export interface SmtpExchangeOptions {
  readonly pool: SmtpPool;
  readonly log: Log;
  /** BDAT in chunks of at most this many bytes, where it is offered. */
  readonly bdatChunkBytes: number | undefined;
  readonly sizeBytes: number | undefined;
  /** Message and only recipient are there: DATA may be asked for together with them. */
  readonly isWhole: boolean;
}

const afterData = reply(452, '4.5.3', 'the message is on its way already');
const CLOSED = Promise.resolve();
const oneAtATime = reply(452, '4.5.3', 'one recipient at a time over LMTP');

export class SmtpExchange implements Exchange {
  readonly #ask: PoolAsk | Response;
  readonly #options: SmtpExchangeOptions;
  #isClosed = false;
  /** Ends the wait for a connection; there is none where one idles. */
  #wait: AbortController | undefined;
  #from: Mailbox | undefined;
  #resolveMail: (response: Response) => void = () => undefined;
  #rejectMail: (bug: unknown) => void = () => undefined;
  /** The answer to MAIL that counts. */
  #mail: Response | undefined;
  readonly #rcpts: SmtpRecipient[] = [];
  #onEnvelope: (() => void) | undefined;
  /** Held until it is given back to the pool. */
  #connection: SmtpConnection | undefined;
  /** The connection had transactions before this one. */
  #isReused = false;
  #isMailSent = false;
  /** MAIL carries it. */
  #smtputf8 = false;
  #hasLmtpRcpt = false;
  #isDataAsked = false;

  /** `ask` says where to, or why there is no such place. */
  constructor(ask: PoolAsk | Response, options: SmtpExchangeOptions) {
    this.#ask = ask;
    this.#options = options;
  }

  mail(from: Mailbox): Promise<Response> {
    must(this.#from === undefined, 'an exchange has one MAIL');
    this.#from = from;
    // The recipients that are asked for in the same turn are heard of before MAIL is made.
    process.nextTick(() => this.#begin(false));
    return new Promise((resolve, reject) => {
      this.#resolveMail = resolve;
      this.#rejectMail = reject;
    });
  }

  rcpt(to: Mailbox): Promise<Response> {
    must(this.#from !== undefined, 'MAIL comes before RCPT');
    return new Promise((resolve, reject) => {
      const rcpt = new SmtpRecipient(to, resolve, reject);
      this.#rcpts.push(rcpt);
      if (this.#mail !== undefined && !isOk(this.#mail)) rcpt.settle(this.#mail);
      else if (this.#isMailSent) {
        this.#send(rcpt);
        this.#connection?.flush();
      }
    });
  }

  data(body: Body): Promise<Response> {
    must(this.#from !== undefined, 'MAIL comes before the message');
    if (this.#isEnvelopeKnown) return this.#offer(body);
    const known = new Promise<void>((resolve) => {
      this.#onEnvelope = resolve;
    });
    return known.then(() => this.#offer(body));
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#wait?.abort();
    this.#giveBack();
    return CLOSED;
  }

  get #isEnvelopeKnown(): boolean {
    return this.#mail !== undefined && this.#rcpts.every(({ isSettled }) => isSettled);
  }

  /** The pool drops what is in the middle of something, so this is also what ends an unfinished transaction. */
  #giveBack(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection === undefined) return;
    const { pool } = this.#options;
    // Nobody is left for the message: then DATA that was asked for too early can be taken back.
    if (this.#isDataAsked && this.#isRefused) connection.withdrawData(() => pool.release(connection));
    else pool.release(connection);
  }

  /** MAIL was accepted, and no recipient was. */
  get #isRefused(): boolean {
    if (!this.#isEnvelopeKnown || this.#mail === undefined || !isOk(this.#mail)) return false;
    return !this.#rcpts.some(({ isAccepted }) => isAccepted);
  }

  #begin(fresh: boolean): void {
    const ask = this.#ask;
    if (this.#isClosed) this.#mailIs(cancelledReply);
    else if ('code' in ask) this.#mailIs(ask);
    else {
      const idle = fresh ? undefined : this.#options.pool.takeIdle(ask);
      if (idle === undefined) this.#waitFor({ ...ask, fresh });
      else this.#start(idle);
    }
  }

  #waitFor(ask: PoolAsk): void {
    this.#wait = new AbortController();
    const begun = this.#options.pool.acquire(ask, this.#wait.signal).then((connection) => {
      if (connection instanceof SmtpConnection) this.#start(connection);
      else this.#mailIs(this.#isClosed ? cancelledReply : connection);
    });
    begun.catch(this.#rejectMail);
  }

  /** MAIL and the recipients there are leave in one write, and DATA with them where the message is there. */
  #start(connection: SmtpConnection): void {
    if (this.#isClosed) {
      this.#options.pool.release(connection);
      this.#mailIs(cancelledReply);
      return;
    }
    this.#connection = connection;
    this.#isReused = connection.transactions > 0;
    try {
      this.#sendMail(connection);
    } catch (bug) {
      this.#rejectMail(bug);
      this.#mailIs(internalErrorReply);
      return;
    }
    if (this.#isMailSent && this.#mail === undefined) for (const rcpt of this.#rcpts) this.#send(rcpt);
    this.#isDataAsked = this.#mayAskData(connection);
    if (this.#isDataAsked) connection.askData();
    connection.flush();
  }

  /** Not where the message may turn out not to fit, or goes by BDAT: to go on is promised with it. */
  #mayAskData({ capabilities, isPipelining, profile }: SmtpConnection): boolean {
    const { bdatChunkBytes, isWhole } = this.#options;
    if (!isWhole || !isPipelining || this.#mail !== undefined || this.#rcpts.length !== 1) return false;
    if (this.#rcpts[0]?.isSent !== true || profile.protocol !== 'smtp') return false;
    return capabilities.has('8BITMIME') && (bdatChunkBytes === undefined || !capabilities.has('CHUNKING'));
  }

  #sendMail(connection: SmtpConnection): void {
    const rcpts = this.#rcpts.map(({ to }) => to.address);
    const { sizeBytes } = this.#options;
    const fitted = fitMail(this.#from as Mailbox, connection.capabilities, { sizeBytes, rcpts });
    if ('refusal' in fitted) {
      this.#mailIs(fitted.refusal);
      return;
    }
    this.#smtputf8 = hasSmtputf8(fitted.box.params);
    this.#isMailSent = true;
    connection.askMail(fitted.box, (answer) => this.#onMail(connection, answer));
  }

  #onMail(connection: SmtpConnection, answer: Response): void {
    if (this.#isClosed) this.#mailIs(cancelledReply);
    // The server had closed an idle connection, by hanging up or with 421: it has not seen this transaction.
    else if (this.#isReused && !connection.isOpen && isTemporary(answer)) this.#beginAgain(answer);
    else this.#mailIs(saidBy(connection, answer));
  }

  #beginAgain(answer: Response): void {
    this.#options.log.debug({ reply: formatResponse(answer) }, 'a stale connection, trying a new one');
    this.#giveBack();
    this.#isMailSent = false;
    this.#isDataAsked = false;
    this.#hasLmtpRcpt = false;
    for (const rcpt of this.#rcpts) rcpt.forget();
    this.#begin(true);
  }

  #mailIs(answer: Response): void {
    this.#mail = answer;
    this.#resolveMail(answer);
    for (const rcpt of this.#rcpts) {
      if (this.#isMailSent && isOk(answer) && !rcpt.isSent && rcpt.answer === undefined) this.#send(rcpt);
      rcpt.settle(answer);
    }
    this.#connection?.flush();
    this.#envelopeIs();
  }

  /** Without pipelining it has its turn once MAIL was accepted. */
  #send(rcpt: SmtpRecipient): void {
    const connection = this.#connection;
    if (connection !== undefined && !connection.isPipelining && this.#mail === undefined) return;
    try {
      const refusal = connection === undefined ? cancelledReply : this.#sendRcpt(rcpt, connection);
      if (refusal !== undefined) this.#rcptIs(rcpt, refusal);
    } catch (bug) {
      rcpt.fail(bug);
    }
  }

  /** Answers with why it is not sent. */
  #sendRcpt(rcpt: SmtpRecipient, connection: SmtpConnection): Response | undefined {
    if (this.#isDataAsked) return afterData;
    const fitted = fitRcpt(rcpt.to, connection.capabilities, this.#smtputf8);
    if ('refusal' in fitted) return fitted.refusal;
    const isLmtp = connection.profile.protocol === 'lmtp';
    // Each recipient of LMTP gets an answer of its own to the message, and an exchange has one.
    if (isLmtp && this.#hasLmtpRcpt) return oneAtATime;
    this.#hasLmtpRcpt = isLmtp;
    rcpt.isSent = true;
    connection.askRcpt(fitted.box, (answer) => this.#onRcpt(connection, rcpt, answer));
    return undefined;
  }

  #onRcpt(connection: SmtpConnection, rcpt: SmtpRecipient, answer: Response): void {
    if (this.#isClosed) this.#rcptIs(rcpt, cancelledReply);
    else if (connection === this.#connection) {
      if (!isOk(answer)) this.#hasLmtpRcpt = false;
      this.#rcptIs(rcpt, saidBy(connection, answer));
    }
  }

  #rcptIs(rcpt: SmtpRecipient, answer: Response): void {
    rcpt.answer = answer;
    rcpt.settle(this.#mail);
    this.#envelopeIs();
  }

  #envelopeIs(): void {
    if (this.#onEnvelope !== undefined && this.#isEnvelopeKnown) this.#onEnvelope();
  }

  #offer(body: Body): Promise<Response> {
    const mail = this.#mail as Response;
    if (!isOk(mail)) return Promise.resolve(mailFailed(mail));
    const acceptedRcpts = this.#rcpts.filter(({ isAccepted }) => isAccepted).length;
    if (acceptedRcpts === 0) return Promise.resolve(noneAccepted(this.#rcpts));
    const connection = this.#connection;
    if (connection === undefined) return Promise.resolve(cancelledReply);
    const checked = contentRefusal(body, connection.capabilities);
    if (checked === undefined) return this.#message(connection, body, acceptedRcpts);
    return Promise.resolve(checked).then((refusal) => {
      if (this.#isClosed) return cancelledReply;
      return refusal ?? this.#message(connection, body, acceptedRcpts);
    });
  }

  #message(connection: SmtpConnection, body: Body, acceptedRcpts: number): Promise<Response> {
    const { bdatChunkBytes } = this.#options;
    return new Promise((resolve) => {
      connection.askMessage({ body, acceptedRcpts, bdatChunkBytes }, ([answer = noRecipients]) => {
        const response = saidAtEndBy(connection, answer);
        this.#giveBack();
        resolve(this.#isClosed && !isOk(response) ? cancelledReply : response);
      });
    });
  }
}
