/**
 * A live transaction seen from downstream: asks are recorded in it, replies awaited from it. What upstream has not answered when the
 * transaction ends without a reply (cancelled, given up) is answered with the cancelled reply.
 */
import type { Body } from '../core/body.ts';
import type { Exchange } from '../core/exchange.ts';
import type { LiveTransaction } from '../core/live.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { cancelledReply, mailFailed, rcptsFailed } from '../core/precondition.ts';
import { isOk, type Response } from '../core/response.ts';
import { decisive, type TxState } from '../core/transaction.ts';

/** `onClose` may cancel it. */
export function exchangeOf(live: LiveTransaction, onClose: () => void = () => undefined): Exchange {
  return new LiveExchange(live, onClose);
}

class LiveExchange implements Exchange {
  readonly #live: LiveTransaction;
  readonly #onClose: () => void;

  constructor(live: LiveTransaction, onClose: () => void) {
    this.#live = live;
    this.#onClose = onClose;
  }

  get transaction(): string {
    return this.#live.id;
  }

  mail(from: Mailbox): Promise<Response> {
    if (hasEnded(this.#live.state)) return Promise.resolve(cancelledReply);
    this.#live.apply({ type: 'mail', from });
    return this.#live.when(mailAnswer);
  }

  rcpt(to: Mailbox): Promise<Response> {
    const { state } = this.#live;
    const early = refusedMail(state);
    if (early !== undefined) return Promise.resolve(mailFailed(early));
    if (hasEnded(state)) return Promise.resolve(cancelledReply);
    const index = state.rcptTo.length;
    this.#live.apply({ type: 'rcpt', to });
    return this.#live.when(rcptAnswer, index);
  }

  data(body: Body): Promise<Response> {
    offerBody(this.#live, body);
    return this.#live.when(dataAnswer);
  }

  close(): Promise<void> {
    this.#onClose();
    return CLOSED;
  }
}

const CLOSED = Promise.resolve();

/**
 * Asks MAIL and RCPT of a fresh transaction at once. `tell` hears the one answer to both, now or later: the recipient's, or the words MAIL was
 * refused with.
 */
export function askEnvelope(live: LiveTransaction, from: Mailbox, to: Mailbox, tell: (answer: Response) => void): void {
  if (!hasEnded(live.state)) live.apply({ type: 'mail', from });
  // A filter may have refused MAIL already.
  if (envelopeAnswer(live.state) === undefined) live.apply({ type: 'rcpt', to });
  live.tell(tell, envelopeAnswer);
}

/** Asks DATA; `tell` hears the answer, now or later. */
export function askData(live: LiveTransaction, body: Body, tell: (answer: Response) => void): void {
  offerBody(live, body);
  live.tell(tell, dataAnswer);
}

/** What a reply has decided already, or has ended without one, takes no message any more. */
function offerBody(live: LiveTransaction, body: Body): void {
  if (decisive(live.state) === undefined && !hasEnded(live.state)) live.apply({ type: 'body', body });
}

function hasEnded(state: TxState): boolean {
  return state.cancelled || state.final !== undefined;
}

function refusedMail({ replies: { mail } }: TxState): Response | undefined {
  return mail !== undefined && !isOk(mail) ? mail : undefined;
}

function mailAnswer(state: TxState): Response | undefined {
  return state.replies.mail ?? (hasEnded(state) ? cancelledReply : undefined);
}

/** The answer to MAIL and RCPT of a transaction with one recipient. */
function envelopeAnswer(state: TxState): Response | undefined {
  const { mail } = state.replies;
  const answer = mail !== undefined && isOk(mail) ? state.replies.rcpt[0] : mail;
  return answer ?? (hasEnded(state) ? cancelledReply : undefined);
}

function rcptAnswer(state: TxState, index: number): Response | undefined {
  const answer = state.replies.rcpt[index];
  if (answer !== undefined) return answer;
  const refusal = refusedMail(state);
  if (refusal !== undefined) return mailFailed(refusal);
  return hasEnded(state) ? cancelledReply : undefined;
}

function dataAnswer(state: TxState): Response | undefined {
  const { mail, rcpt, data } = state.replies;
  if (data !== undefined) return data;
  if (decisive(state) === undefined) return hasEnded(state) ? cancelledReply : undefined;
  if (mail !== undefined && !isOk(mail)) return mailFailed(mail);
  return rcptsFailed(rcpt.filter((each) => each !== undefined));
}
