/**
 * The upstream half of a live transaction: follows what is asked of it, asks it of an exchange, and records the replies. One call is one
 * attempt. The other direction, a live transaction seen as an exchange, is `exchangeOf`.
 */
import type { Body } from '../core/body.ts';
import type { Exchange } from '../core/exchange.ts';
import type { LiveTransaction } from '../core/live.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { cancelledReply, internalErrorReply, mailFailed, rcptsFailed } from '../core/precondition.ts';
import { isOk, type Response } from '../core/response.ts';
import { decisive, type TxState } from '../core/transaction.ts';

export type DriveEnd = 'decided' | 'cancelled' | 'stopped';

/**
 * Drives one attempt until a reply decides it, downstream cancels, or `stop` aborts; then closes the exchange. `onBug` hears of an
 * exception inside the chain; the step is answered with the internal error reply.
 */
export async function drive(
  live: LiveTransaction,
  exchange: Exchange,
  stop: AbortSignal,
  onBug: (error: unknown) => void,
): Promise<DriveEnd> {
  let open = true;
  const ask = (step: Promise<Response>, record: (response: Response) => void): void => {
    void step
      .catch((error: unknown) => {
        onBug(error);
        return internalErrorReply;
      })
      .then((response) => {
        if (open) record(response);
      });
  };
  let mailAsked = false;
  let rcptsAsked = 0;
  let dataAsked = false;
  const isWorkLeft = (state: TxState): boolean =>
    (state.mailFrom !== undefined && !mailAsked) ||
    rcptsAsked < state.rcptTo.length ||
    (!dataAsked && isReadyForData(state));
  try {
    for (;;) {
      const state = live.state;
      if (state.mailFrom !== undefined && !mailAsked) {
        mailAsked = true;
        ask(exchange.mail(state.mailFrom), (response) => live.apply({ type: 'mailReply', response }));
      }
      for (; rcptsAsked < state.rcptTo.length; rcptsAsked += 1) {
        const index = rcptsAsked;
        const to = state.rcptTo[index] as Mailbox;
        ask(exchange.rcpt(to), (response) => live.apply({ type: 'rcptReply', index, response }));
      }
      if (!dataAsked && isReadyForData(state)) {
        dataAsked = true;
        ask(exchange.data(state.body as Body), (response) => live.apply({ type: 'dataReply', response }));
      }
      const held = await live.until((now) => decisive(now) !== undefined || now.cancelled || isWorkLeft(now), stop);
      if (!held) return 'stopped';
      if (live.state.cancelled) return 'cancelled';
      if (decisive(live.state) !== undefined) return 'decided';
    }
  } finally {
    open = false;
    await exchange.close();
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
    async mail(from) {
      live.apply({ type: 'mail', from });
      await live.until((s) => s.replies.mail !== undefined || ended(s));
      return live.state.replies.mail ?? cancelledReply;
    },
    async rcpt(to) {
      const early = refusedMail(live.state);
      if (early !== undefined) return mailFailed(early);
      const index = live.state.rcptTo.length;
      live.apply({ type: 'rcpt', to });
      await live.until((s) => s.replies.rcpt[index] !== undefined || refusedMail(s) !== undefined || ended(s));
      const refusal = refusedMail(live.state);
      return live.state.replies.rcpt[index] ?? (refusal === undefined ? cancelledReply : mailFailed(refusal));
    },
    async data(body) {
      if (decisive(live.state) === undefined) {
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
