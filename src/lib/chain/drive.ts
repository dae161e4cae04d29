/**
 * The upstream half of a live transaction: follows what is asked of it, asks it of an exchange, and records the replies. One call is one
 * attempt. The other direction, a live transaction seen as an exchange, is `exchangeOf`.
 */
import type { Exchange } from '../core/exchange.ts';
import type { LiveTransaction } from '../core/live.ts';
import { cancelledReply, internalErrorReply, mailFailed, rcptsFailed } from '../core/precondition.ts';
import { isOk, type Response, reply } from '../core/response.ts';
import { decisive, type TxState } from '../core/transaction.ts';

export type DriveEnd = 'decided' | 'cancelled' | 'stopped';

/**
 * Drives one attempt until a reply decides it, downstream cancels, or `stop` aborts; then closes the exchange. `onBug` hears of an
 * exception inside the chain; the step is answered with the internal error reply. Never rejects.
 */
export async function drive(
  live: LiveTransaction,
  exchange: Exchange,
  stop: AbortSignal,
  onBug: (error: unknown) => void,
): Promise<DriveEnd> {
  const follower = new Follower(live, exchange, onBug);
  for (;;) {
    const end = endOf(live.state, stop);
    if (end !== undefined) {
      if (end === 'decided') answerMail(live);
      await follower.close();
      return end;
    }
    follower.askWhatIsNew();
    await live.until((now) => endOf(now, stop) !== undefined || follower.isWorkLeft(now), stop);
  }
}

/** When a filter refused the recipient by itself, an output that asks upstream at RCPT never heard of it, and MAIL was fine as such. */
function answerMail(live: LiveTransaction): void {
  const { mailFrom, replies } = live.state;
  if (mailFrom === undefined || replies.mail !== undefined) return;
  live.apply({ type: 'mailReply', response: reply(250, '2.1.0', 'ok') });
}

/** A cancel comes too late for a message the far end has taken, and in time for anything else. */
function endOf(state: TxState, stop: AbortSignal): DriveEnd | undefined {
  const { data } = state.replies;
  const isDelivered = data !== undefined && isOk(data);
  if (state.cancelled && !isDelivered) return 'cancelled';
  if (decisive(state) !== undefined) return 'decided';
  return stop.aborted ? 'stopped' : undefined;
}

/** What of a live transaction has been asked of an exchange so far. */
class Follower {
  readonly #live: LiveTransaction;
  readonly #exchange: Exchange;
  readonly #onBug: (error: unknown) => void;
  #isMailAsked = false;
  #rcptsAsked = 0;
  #isDataAsked = false;
  #isOpen = true;

  constructor(live: LiveTransaction, exchange: Exchange, onBug: (error: unknown) => void) {
    this.#live = live;
    this.#exchange = exchange;
    this.#onBug = onBug;
  }

  isWorkLeft(state: TxState): boolean {
    return (
      (state.mailFrom !== undefined && !this.#isMailAsked) ||
      this.#rcptsAsked < state.rcptTo.length ||
      (!this.#isDataAsked && isReadyForData(state))
    );
  }

  askWhatIsNew(): void {
    const { state } = this.#live;
    const { mailFrom, rcptTo, body } = state;
    if (mailFrom !== undefined && !this.#isMailAsked) {
      this.#isMailAsked = true;
      void this.#ask(
        () => this.#exchange.mail(mailFrom),
        (response) => this.#live.apply({ type: 'mailReply', response }),
      );
    }
    for (const [index, to] of rcptTo.entries()) {
      if (index < this.#rcptsAsked) continue;
      this.#rcptsAsked = index + 1;
      void this.#ask(
        () => this.#exchange.rcpt(to),
        (response) => this.#live.apply({ type: 'rcptReply', index, response }),
      );
    }
    if (body !== undefined && !this.#isDataAsked && isReadyForData(state)) {
      this.#isDataAsked = true;
      void this.#ask(
        () => (body.refusal === undefined ? this.#exchange.data(body) : Promise.resolve(body.refusal)),
        (response) => this.#live.apply({ type: 'dataReply', response }),
      );
    }
  }

  /** A reply that comes after the end is nobody's any more. */
  async #ask(step: () => Promise<Response>, record: (response: Response) => void): Promise<void> {
    const response = await this.#guarded(step);
    if (this.#isOpen) record(response);
  }

  async #guarded(step: () => Promise<Response>): Promise<Response> {
    try {
      return await step();
    } catch (error) {
      this.#onBug(error);
      return internalErrorReply;
    }
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    try {
      await this.#exchange.close();
    } catch (error) {
      this.#onBug(error);
    }
  }
}

/** The message is complete, every recipient is answered, and at least one of them accepted. */
function isReadyForData({ body, mailFrom, rcptTo, replies }: TxState): boolean {
  if (body === undefined || mailFrom === undefined || rcptTo.length === 0) return false;
  if (replies.mail === undefined || !isOk(replies.mail)) return false;
  const answers = rcptTo.map((_, i) => replies.rcpt[i]);
  return answers.every((r) => r !== undefined) && answers.some((r) => r !== undefined && isOk(r));
}

/**
 * A live transaction seen from downstream: asks are recorded in it, replies awaited from it. What upstream has not answered when the
 * transaction ends without a reply (cancelled, given up) is answered with the cancelled reply. `onClose` may cancel it.
 */
export function exchangeOf(live: LiveTransaction, onClose: () => void = () => undefined): Exchange {
  const ended = (s: TxState): boolean => s.cancelled || s.final !== undefined;
  const refusedMail = (s: TxState): Response | undefined =>
    s.replies.mail !== undefined && !isOk(s.replies.mail) ? s.replies.mail : undefined;
  return {
    transaction: live.id,
    async mail(from) {
      if (ended(live.state)) return cancelledReply;
      live.apply({ type: 'mail', from });
      await live.until((s) => s.replies.mail !== undefined || ended(s));
      return live.state.replies.mail ?? cancelledReply;
    },
    async rcpt(to) {
      const early = refusedMail(live.state);
      if (early !== undefined) return mailFailed(early);
      if (ended(live.state)) return cancelledReply;
      const index = live.state.rcptTo.length;
      live.apply({ type: 'rcpt', to });
      await live.until((s) => s.replies.rcpt[index] !== undefined || refusedMail(s) !== undefined || ended(s));
      const refusal = refusedMail(live.state);
      return live.state.replies.rcpt[index] ?? (refusal === undefined ? cancelledReply : mailFailed(refusal));
    },
    async data(body) {
      if (decisive(live.state) === undefined && !ended(live.state)) {
        live.apply({ type: 'body', body });
        await live.until((s) => decisive(s) !== undefined || ended(s));
      }
      const { mail, rcpt, data } = live.state.replies;
      if (data !== undefined) return data;
      if (mail !== undefined && !isOk(mail)) return mailFailed(mail);
      return decisive(live.state) === undefined ? cancelledReply : rcptsFailed(rcpt.filter((r) => r !== undefined));
    },
    close() {
      onClose();
      return Promise.resolve();
    },
  };
}
