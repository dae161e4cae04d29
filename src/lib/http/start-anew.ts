/** The envelope of a transaction once more in a new one, when the old one cannot be used for its message. */
import type { HopAsk } from '../core/hop.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { mailFailed, rcptsFailed } from '../core/precondition.ts';
import { isOk, type Response, reply } from '../core/response.ts';
import type { Deadline } from './deadline.ts';
import type { PeerView } from './peer-view.ts';
import { type Peer, RemoteTransaction } from './remote-transaction.ts';
import { createJson } from './wire-create.ts';

export interface Envelope {
  readonly ask: HopAsk;
  readonly from: Mailbox;
  /** Those that were accepted. */
  readonly rcpts: readonly Mailbox[];
}

/** The new transaction, and what it is refused with, if it is: everybody who was accepted before has to be accepted again. */
export interface NewStart {
  readonly remote: RemoteTransaction;
  readonly refusal: Response | undefined;
}

/** Creates the transaction and waits until its envelope is answered; throws `HttpTrouble` or `UpstreamTrouble`. */
export async function startAnew(
  peer: Peer,
  endpoint: URL,
  { ask, from, rcpts }: Envelope,
  deadline: Deadline,
  onView: (view: PeerView) => void,
): Promise<NewStart> {
  const json = createJson(ask, from, rcpts);
  const remote = await RemoteTransaction.create(peer, endpoint, json, deadline, onView);
  const isAnswered = ({ mail, rcpt, isEnded }: PeerView): boolean =>
    isEnded || (mail !== undefined && (!isOk(mail) || rcpt.length >= rcpts.length));
  while (!isAnswered(remote.view) && !deadline.isEnded) await remote.poll(deadline);
  return { remote, refusal: refusalOf(remote.view) };
}

function refusalOf({ mail, rcpt }: PeerView): Response | undefined {
  if (mail !== undefined && !isOk(mail)) return mailFailed(mail);
  const refused = rcpt.filter((answer) => !isOk(answer));
  if (refused.length === 0) return undefined;
  return refused.length === rcpt.length
    ? rcptsFailed(refused)
    : reply(450, '4.5.1', 'upstream: a recipient is in doubt');
}
