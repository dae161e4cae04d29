/** One attempt of one transaction: opens its chain, follows what is asked, and says how it ended. */
import { drive } from '../chain/drive.ts';
import type { Body } from '../core/body.ts';
import { ofConversation, wireForm } from '../core/conversation-signals.ts';
import type { Log } from '../core/deps.ts';
import { LeaseLostError, must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import { internalErrorReply } from '../core/precondition.ts';
import { isOk, type Response, reply } from '../core/response.ts';
import type { AttemptEnd } from '../core/retry.ts';
import { decisive, type TxState } from '../core/transaction.ts';
import { leasedBody } from './leased-body.ts';
import type { Work } from './work.ts';

/** Why an attempt is stopped from outside; the reason of `Work.stop`. `shutdown`: the transaction is to be, or already is, another's. */
export type StopReason = 'downstreamTimeout' | 'shutdown';

/** How it ended; `shutdown` leaves the transaction to whoever takes over its lease. */
export type WorkEnd = AttemptEnd | { readonly kind: 'shutdown' };

const leaseInDoubt = reply(
  451,
  '4.3.0',
  'not sent: storage is away and another router may have taken the message over',
);

/**
 * `isLeaseCertain` is asked before a stored message is sent: two routers that both think it theirs would send it twice. A message may be stored,
 * and then be taken over by another router, while it is on its way out. `onAnswer` hears the far end's answer to the message and says what
 * goes downstream.
 */
export async function runAttempt(
  work: Work,
  startedAt: number,
  log: Log,
  isLeaseCertain: () => Promise<boolean>,
  onAnswer: (response: Response) => Promise<Response> = (response) => Promise.resolve(response),
): Promise<WorkEnd> {
  const { live, facts, stop } = work;
  work.attemptStartedAt = startedAt;
  live.apply({ type: 'attempt' });
  const exchange = facts.route.chain.open({
    id: facts.id,
    origin: facts.origin,
    log,
    onSignal: (filter, value) => live.apply({ type: 'signal', filter, value }),
    onHost: (host) => work.offered(host),
    inherited: () => wireForm(facts.inherited?.() ?? ofConversation(live.state.filterOutput)),
  });
  const isOurs = (): Promise<boolean> => (work.isDurable ? isLeaseCertain() : OURS);
  const careful: Exchange = {
    mail: (from) => exchange.mail(from),
    rcpt: (to) => exchange.rcpt(to),
    data: async (body) => onAnswer(await sendLeased(work, exchange, body, isOurs)),
    close: () => exchange.close(),
  };
  const end = await drive(live, careful, stop, (error) => {
    log.error({ error }, 'a step of the chain failed with a bug');
  });
  if (end === 'cancelled') return { kind: 'cancelled' };
  if (end === 'stopped') return { kind: stop.reason ?? 'shutdown' };
  return repliedEnd(live.state);
}

/** Nobody else knows of what is not stored. */
const OURS = Promise.resolve(true);

async function sendLeased(
  { stop }: Work,
  exchange: Exchange,
  body: Body,
  isOurs: () => Promise<boolean>,
): Promise<Response> {
  if (!(await isOurs())) return leaseInDoubt;
  try {
    return await exchange.data(leasedBody(body, isOurs, () => stop.pull('shutdown')));
  } catch (error) {
    if (error instanceof LeaseLostError) return leaseInDoubt;
    throw error;
  }
}

/** How an attempt ended that a reply has decided. */
export function repliedEnd(state: TxState): AttemptEnd {
  const reply = decisive(state);
  must(reply !== undefined, 'an attempt that was decided has a decisive reply');
  // A bug that came after the far end had answered changes nothing about the answer.
  if (reply === internalErrorReply) return { kind: 'bug' };
  const { mail, data } = state.replies;
  if (data !== undefined) return { kind: 'replied', phase: 'data', reply };
  return { kind: 'replied', phase: mail !== undefined && !isOk(mail) ? 'mail' : 'rcpt', reply };
}
