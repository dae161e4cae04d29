/** What an output answers for a route whose hosts were looked up and none has an address: there is nowhere to go, for good or for now. */
import type { TxContext } from '../chain/filter.ts';
import { type Response, reply } from '../core/response.ts';
import { dnsResolutionSignal } from '../core/signals/dns-resolution.ts';

/** RFC 3463 X.1.2 and X.4.3. */
const noSuchHost: Response = reply(550, '5.1.2', 'no mail host for the recipient exists');
const notResolved: Response = reply(
  450,
  '4.4.3',
  'the mail host of the recipient could not be looked up, try again later',
);

/** `undefined` when there is a host to try, or when nothing was looked up. Without a reason for an empty list the failure is temporary. */
export function resolutionFailure(tx: TxContext): Response | undefined {
  if (tx.resolution === undefined || tx.resolution.length > 0) return undefined;
  return tx.signals.get(dnsResolutionSignal)?.resolutionResult === 'NX' ? noSuchHost : notResolved;
}
