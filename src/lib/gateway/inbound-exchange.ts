/**
 * The exchange behind one MAIL of a gateway's listener: asks the next hop, never waits longer than a mail client does, and writes the one log line a
 * message gets.
 */
import type { Body } from '../core/body.ts';
import type { Deps, Log } from '../core/deps.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { internalErrorReply } from '../core/precondition.ts';
import { isOk, type Response, reply, responseClass } from '../core/response.ts';

export interface InboundTimes {
  readonly mailMs: number;
  readonly rcptMs: number;
  readonly dataMs: number;
}

export interface InboundExchangeOptions {
  readonly upstream: Exchange;
  readonly times: InboundTimes;
  readonly clock: Deps['clock'];
  /** Carries what identifies the session and where its mail goes. */
  readonly log: Log;
  /** Called once, when the upstream exchange is closed. */
  readonly onClosed: () => void;
}

/** A reason that exists already: without one, each abort makes an exception with a stack, and that on every command. */
const mailTimeout = reply(450, '4.4.7', 'MAIL upstream timeout');
const rcptTimeout = reply(450, '4.4.7', 'RCPT upstream timeout');
/** Never 5xx: the message may still be delivered, and the client must keep it until somebody says so. */
const dataTimeout = reply(451, '4.4.7', 'DATA upstream timeout');

export class InboundExchange implements Exchange {
  readonly #options: InboundExchangeOptions;
  readonly #startedAt: number;
  #accepted = 0;
  #refused = 0;
  #sizeBytes: number | undefined;
  #verdict: Response | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: InboundExchangeOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonicMs();
  }

  mail(from: Mailbox): Promise<Response> {
    const { upstream, times } = this.#options;
    return this.#ask(() => upstream.mail(from), times.mailMs, mailTimeout, this.#onMail);
  }

  rcpt(to: Mailbox): Promise<Response> {
    const { upstream, times } = this.#options;
    return this.#ask(() => upstream.rcpt(to), times.rcptMs, rcptTimeout, this.#onRcpt);
  }

  data(body: Body): Promise<Response> {
    const { upstream, times } = this.#options;
    this.#sizeBytes = body.size;
    return this.#ask(() => upstream.data(body), times.dataMs, dataTimeout, this.#onData);
  }

  readonly #onMail = (response: Response): void => {
    if (!isOk(response)) this.#verdict = response;
  };

  readonly #onRcpt = (response: Response): void => {
    if (isOk(response)) this.#accepted += 1;
    else this.#refused += 1;
  };

  readonly #onData = (response: Response): void => {
    this.#verdict = response;
  };

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { upstream, log, onClosed } = this.#options;
    this.#report();
    try {
      await upstream.close();
    } catch (error) {
      log.error({ error }, 'an exchange could not be closed');
    } finally {
      onClosed();
    }
  }

  /** No addresses and no text: those are the router's to log, with the transaction they belong to. */
  #report(): void {
    const { log, clock, upstream } = this.#options;
    const verdict = this.#verdict;
    const fields = {
      tx: upstream.transaction,
      sizeBytes: this.#sizeBytes,
      rcptsAccepted: this.#accepted,
      rcptsRefused: this.#refused,
      code: verdict?.code,
      enhanced: verdict?.enhanced,
      elapsedMs: clock.monotonicMs() - this.#startedAt,
    };
    log.info(fields, verdict === undefined ? 'mail transaction ended without a message' : 'mail transaction answered');
  }

  /** The answer to a step, noted and in a form we may give, or `late` when it does not come in time. */
  #ask(step: () => Promise<Response>, ms: number, late: Response, note: (said: Response) => void): Promise<Response> {
    return new Promise((resolve) => {
      let isOver = false;
      const end = (response: Response): void => {
        if (isOver) return;
        isOver = true;
        forget();
        note(response);
        resolve(response);
      };
      const forget = this.#options.clock.after(ms, () => end(late));
      const onAnswer = (response: Response): void => end(toSmtp(response));
      const onBug = (error: unknown): void => end(this.#onBug(error));
      try {
        step().then(onAnswer, onBug);
      } catch (error) {
        onBug(error);
      }
    });
  }

  /** A rejection is a bug in the next hop: nothing of it is told to the client, who may try again. */
  readonly #onBug = (error: unknown): Response => {
    this.#options.log.error({ error }, 'the next hop failed');
    return internalErrorReply;
  };
}

/**
 * A reply as we may give it. 421 ends a connection (RFC 5321 §3.8): coming from a far end it is about theirs, not about ours, and it would take the
 * other recipients with it. A code that is no final answer is none.
 */
function toSmtp(response: Response): Response {
  if (response.code === 421) return { ...response, code: 451 };
  return Number.isInteger(response.code) && responseClass(response) !== 'other' ? response : internalErrorReply;
}
