/**
 * The upstream half of a live transaction: follows what is asked of it, asks it of an exchange, and records the replies. One call is one
 * attempt. The other direction, a live transaction seen as an exchange, is `exchangeOf`.
 */
import type { Body } from '../core/body.ts';
import type { Exchange } from '../core/exchange.ts';
import type { LiveTransaction } from '../core/live.ts';
import { internalErrorReply } from '../core/precondition.ts';
import { isOk, type Response, reply } from '../core/response.ts';
import type { Stop } from '../core/stop.ts';
import { decisive, type TxState } from '../core/transaction.ts';

export type DriveEnd = 'decided' | 'cancelled' | 'stopped';

/**
 * Drives one attempt until a reply decides it, downstream cancels, or `stop` is pulled; then closes the exchange. `onBug` hears of an
 * exception inside the chain; the step is answered with the internal error reply. Never rejects.
 */
export function drive(
  live: LiveTransaction,
  exchange: Exchange,
  stop: Stop,
  onBug: (error: unknown) => void,
): Promise<DriveEnd> {
  return new Drive(live, exchange, stop, onBug).run();
}

const mailFine = reply(250, '2.1.0', 'ok');

class Drive {
  readonly #live: LiveTransaction;
  readonly #exchange: Exchange;
  readonly #stop: Stop;
  readonly #onBug: (error: unknown) => void;
  /** What has been asked of the exchange so far. */
  #isMailAsked = false;
  #rcptsAsked = 0;
  #isDataAsked = false;
  #isOver = false;
  #isLooking = false;
  /** Something happened while we were looking. */
  #hasNews = false;
  #resolve: (end: DriveEnd) => void = () => undefined;

  constructor(live: LiveTransaction, exchange: Exchange, stop: Stop, onBug: (error: unknown) => void) {
    this.#live = live;
    this.#exchange = exchange;
    this.#stop = stop;
    this.#onBug = onBug;
  }

  run(): Promise<DriveEnd> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#live.watch(this.#look);
      this.#stop.listen(this.#look);
      this.#look();
    });
  }

  /** After every step. A step that is taken while we ask has its turn when we are done, so that asks keep their order. */
  readonly #look = (): void => {
    this.#hasNews = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    while (this.#hasNews && !this.#isOver) {
      this.#hasNews = false;
      const end = endOf(this.#live.state, this.#stop);
      if (end === undefined) this.#askWhatIsNew();
      else this.#end(end);
    }
    this.#isLooking = false;
  };

  #end(end: DriveEnd): void {
    this.#isOver = true;
    this.#live.unwatch(this.#look);
    this.#stop.listen(undefined);
    if (end === 'decided') answerMail(this.#live);
    // A cancel that came meanwhile still keeps what was refused for now from being tried again.
    const over = (): void => this.#resolve(endOf(this.#live.state, this.#stop) ?? end);
    this.#close().then(over, (error: unknown) => {
      this.#onBug(error);
      over();
    });
  }

  #close(): Promise<void> {
    try {
      return this.#exchange.close();
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  #askWhatIsNew(): void {
    const { state } = this.#live;
    const { mailFrom, rcptTo, body } = state;
    if (mailFrom !== undefined && !this.#isMailAsked) {
      this.#isMailAsked = true;
      this.#ask(this.#exchange.mail, mailFrom, 'mailReply');
    }
    while (this.#rcptsAsked < rcptTo.length) this.#askRcpt(state, this.#rcptsAsked);
    if (body !== undefined && !this.#isDataAsked && isReadyForData(state)) {
      this.#isDataAsked = true;
      const ask = body.refusal === undefined ? this.#exchange.data : refusalOf;
      this.#ask(ask, body, 'dataReply');
    }
  }

  #askRcpt({ rcptTo }: TxState, index: number): void {
    this.#rcptsAsked = index + 1;
    const to = rcptTo[index];
    if (to === undefined) return;
    this.#ask(this.#exchange.rcpt, to, 'rcptReply', index);
  }

  /** An exchange that throws where it should have rejected is a bug like any other. `index`: of the recipient. */
  #ask<V>(ask: (this: Exchange, value: V) => Promise<Response>, value: V, type: Reply['type'], index = 0): void {
    let answer: Promise<Response>;
    try {
      answer = ask.call(this.#exchange, value);
    } catch (error) {
      answer = Promise.reject(error as Error);
    }
    void answer.then(
      (response) => this.#record({ type, index, response }),
      (error: unknown) => {
        this.#onBug(error);
        this.#record({ type, index, response: internalErrorReply });
      },
    );
  }

  /** A reply that comes after the end is nobody's any more. */
  #record(reply: Reply): void {
    if (!this.#isOver) this.#live.apply(reply);
  }
}

/** Of which only that to a recipient needs an index. */
interface Reply {
  readonly type: 'mailReply' | 'rcptReply' | 'dataReply';
  readonly index: number;
  readonly response: Response;
}

/** What is answered to a message whose bytes are not to be had. */
function refusalOf({ refusal = internalErrorReply }: Body): Promise<Response> {
  return Promise.resolve(refusal);
}

/** When a filter refused the recipient by itself, an output that asks upstream at RCPT never heard of it, and MAIL was fine as such. */
function answerMail(live: LiveTransaction): void {
  const { mailFrom, replies } = live.state;
  if (mailFrom === undefined || replies.mail !== undefined) return;
  live.apply({ type: 'mailReply', response: mailFine });
}

/** A cancel comes too late for a message the far end has taken, and in time for anything else. */
function endOf(state: TxState, stop: Stop): DriveEnd | undefined {
  if (state.cancelled) {
    const { data } = state.replies;
    const isDelivered = data !== undefined && isOk(data);
    if (!isDelivered) return 'cancelled';
  }
  if (decisive(state) !== undefined) return 'decided';
  return stop.isPulled ? 'stopped' : undefined;
}

/** The message is complete, every recipient is answered, and at least one of them accepted. */
function isReadyForData({ body, mailFrom, rcptTo, replies }: TxState): boolean {
  if (body === undefined || mailFrom === undefined) return false;
  if (replies.mail === undefined || !isOk(replies.mail)) return false;
  let isAccepted = false;
  for (let i = 0; i < rcptTo.length; i += 1) {
    const answer = replies.rcpt[i];
    if (answer === undefined) return false;
    isAccepted ||= isOk(answer);
  }
  return isAccepted;
}
