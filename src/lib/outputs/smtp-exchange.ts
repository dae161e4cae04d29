/**
 * One transaction with a destination. MAIL and the recipients asked for at the same time leave in one write. Until MAIL is answered a used
 * connection may turn out to be stale; then everything is asked once more on a new one. After that, nothing is ever sent twice.
 */
import type { Body } from '../core/body.ts';
import type { Log } from '../core/deps.ts';
import { must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { cancelledReply, mailFailed, rcptsFailed } from '../core/precondition.ts';
import { formatResponse, isOk, isTemporary, type Response, reply } from '../core/response.ts';
import { SmtpConnection } from '../smtp/client/connection.ts';
import type { PoolAsk, SmtpPool } from '../smtp/client/pool.ts';
import { contentRefusal } from './smtp-content.ts';
import { fitMail, fitRcpt, hasSmtputf8 } from './smtp-params.ts';
import { saidAtEndBy, saidBy } from './smtp-source.ts';

export interface SmtpExchangeOptions {
  readonly pool: SmtpPool;
  readonly log: Log;
  /** BDAT in chunks of at most this many bytes, where it is offered. */
  readonly bdatChunkBytes: number | undefined;
  readonly sizeBytes: number | undefined;
}

/** MAIL is on its way on a connection. */
interface Session {
  readonly connection: SmtpConnection;
  readonly isReused: boolean;
  readonly smtputf8: boolean;
  readonly mail: Promise<Response>;
}

const noRecipients = reply(554, '5.5.1', 'no valid recipients');
const oneAtATime = reply(452, '4.5.3', 'one recipient at a time over LMTP');

export class SmtpExchange implements Exchange {
  readonly #ask: PoolAsk | Response;
  readonly #options: SmtpExchangeOptions;
  #isClosed = false;
  /** Ends the wait for a connection; there is none where one idles. */
  #wait: AbortController | undefined;
  #session: Promise<Session | Response> | undefined;
  #mail: Promise<Response> | undefined;
  readonly #asked: string[] = [];
  readonly #rcpts: Promise<Response>[] = [];
  /** Held until it is given back to the pool. */
  #connection: SmtpConnection | undefined;
  #hasLmtpRcpt = false;

  /** `ask` says where to, or why there is no such place. */
  constructor(ask: PoolAsk | Response, options: SmtpExchangeOptions) {
    this.#ask = ask;
    this.#options = options;
  }

  mail(from: Mailbox): Promise<Response> {
    must(this.#mail === undefined, 'an exchange has one MAIL');
    this.#session = this.#begin(from, false);
    this.#mail = this.#mailAnswer(from, this.#session);
    return this.#mail;
  }

  rcpt(to: Mailbox): Promise<Response> {
    this.#asked.push(to.address);
    const answer = this.#rcptAnswer(to);
    this.#rcpts.push(answer);
    return answer;
  }

  async data(body: Body): Promise<Response> {
    must(this.#mail !== undefined, 'MAIL comes before the message');
    const mail = await this.#mail;
    if (!isOk(mail)) return mailFailed(mail);
    const answers = await Promise.all(this.#rcpts);
    const acceptedRcpts = answers.filter(isOk).length;
    if (acceptedRcpts === 0) return answers.some(isTemporary) ? rcptsFailed(answers) : noRecipients;
    const connection = this.#connection;
    if (connection === undefined) return cancelledReply;
    const checked = contentRefusal(body, connection.capabilities);
    const refusal = checked instanceof Promise ? await checked : checked;
    if (this.#isClosed) return cancelledReply;
    if (refusal !== undefined) return refusal;
    const { bdatChunkBytes } = this.#options;
    const [answer = noRecipients] = await connection.message({ body, acceptedRcpts, bdatChunkBytes });
    const response = saidAtEndBy(connection, answer);
    this.#giveBack();
    return this.#isClosed && !isOk(response) ? cancelledReply : response;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#wait?.abort();
    this.#giveBack();
    return Promise.resolve();
  }

  /** The pool drops what is in the middle of something, so this is also what ends an unfinished transaction. */
  #giveBack(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) this.#options.pool.release(connection);
  }

  async #begin(from: Mailbox, fresh: boolean): Promise<Session | Response> {
    if ('code' in this.#ask) return this.#ask;
    const { pool, sizeBytes } = this.#options;
    const ask = this.#ask;
    // The recipients that are asked for in the same turn are heard of before MAIL is made.
    const connection = await ((fresh ? undefined : pool.takeIdle(ask)) ?? this.#waitFor({ ...ask, fresh }));
    if (this.#isClosed) {
      if (connection instanceof SmtpConnection) pool.release(connection);
      return cancelledReply;
    }
    if (!(connection instanceof SmtpConnection)) return connection;
    this.#connection = connection;
    const fitted = fitMail(from, connection.capabilities, { sizeBytes, rcpts: this.#asked });
    if ('refusal' in fitted) return fitted.refusal;
    const isReused = connection.transactions > 0;
    const mail = connection.mail(fitted.box);
    return { connection, isReused, smtputf8: hasSmtputf8(fitted.box.params), mail };
  }

  #waitFor(ask: PoolAsk): Promise<SmtpConnection | Response> {
    if (this.#isClosed) return Promise.resolve(cancelledReply);
    this.#wait = new AbortController();
    return this.#options.pool.acquire(ask, this.#wait.signal);
  }

  async #mailAnswer(from: Mailbox, first: Promise<Session | Response>): Promise<Response> {
    const session = await first;
    if ('code' in session) return session;
    const answer = await session.mail;
    if (this.#isClosed) return cancelledReply;
    // The server had closed an idle connection, by hanging up or with 421: it has not seen this transaction.
    const { connection } = session;
    if (!session.isReused || connection.isOpen || !isTemporary(answer)) return saidBy(connection, answer);
    this.#options.log.debug({ reply: formatResponse(answer) }, 'a stale connection, trying a new one');
    this.#giveBack();
    this.#session = this.#begin(from, true);
    const again = await this.#session;
    if ('code' in again) return again;
    const second = await again.mail;
    return this.#isClosed ? cancelledReply : saidBy(again.connection, second);
  }

  async #rcptAnswer(to: Mailbox): Promise<Response> {
    must(this.#mail !== undefined, 'MAIL comes before RCPT');
    const started = this.#session;
    const first = await this.#sendRcpt(to, await started);
    const mail = await this.#mail;
    if (!isOk(mail)) return mailFailed(mail);
    const answer = this.#session === started ? first : await this.#sendRcpt(to, await this.#session);
    return this.#isClosed ? cancelledReply : (answer ?? mailFailed(mail));
  }

  /** `undefined` when MAIL was refused, so that there was nothing to send. */
  async #sendRcpt(to: Mailbox, session: Session | Response | undefined): Promise<Response | undefined> {
    if (session === undefined || 'code' in session) return undefined;
    const { connection } = session;
    if (!connection.isPipelining && !isOk(await session.mail)) return undefined;
    const fitted = fitRcpt(to, connection.capabilities, session.smtputf8);
    if ('refusal' in fitted) return fitted.refusal;
    if (connection.profile.protocol === 'smtp') return saidBy(connection, await connection.rcpt(fitted.box));
    // Each recipient of LMTP gets an answer of its own to the message, and an exchange has one.
    if (this.#hasLmtpRcpt) return oneAtATime;
    this.#hasLmtpRcpt = true;
    const answer = saidBy(connection, await connection.rcpt(fitted.box));
    this.#hasLmtpRcpt = isOk(answer);
    return answer;
  }
}
