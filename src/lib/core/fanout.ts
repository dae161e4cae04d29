/**
 * What the client of an exploder is told, given what happened to each recipient: the table of submission (`msa`) and ingress as pure
 * functions (protocol §6.2, §6.3). Whoever is answered 2xx without the next hop having taken the message must be adopted first.
 *
 *                       | msa                  | ingress
 *   RCPT timeout        | 250, decided at DATA | 450
 *   RCPT 4xx            | 250, adopted at DATA | verbatim
 *   RCPT 5xx            | verbatim             | verbatim
 *   DATA timeout, 4xx   | 250, adopted         | 450, verbatim
 *   DATA 5xx            | verbatim             | verbatim
 *   DATA mixed          | 250, the failed ones adopted (bounced or retried)
 */
import { isOk, isPermanent, isTemporary, type Response, reply, responseClass } from './response.ts';

export type FanoutMode = 'msa' | 'ingress';

export const upstreamTimeout: Response = reply(450, '4.4.7', 'upstream timeout');
const rcptStored: Response = reply(250, '2.1.5', 'RCPT ok (store&forward)');
const dataStored: Response = reply(250, '2.6.0', 'DATA ok (store&forward)');

export interface RcptAnswer {
  readonly response: Response;
  /** `held`: accepted although the far end said 4xx; there is nobody to send DATA to, it can only be adopted. */
  readonly standing: 'accepted' | 'held' | 'refused';
}

/** The answer to RCPT for a recipient that nobody could be asked about now. */
export const parkedRcpt: RcptAnswer = { response: rcptStored, standing: 'held' };

/** The answer to RCPT; `undefined` stands for no reply in time. */
export function answerRcpt(upstream: Response | undefined, mode: FanoutMode): RcptAnswer {
  if (upstream === undefined) {
    return mode === 'msa'
      ? { response: rcptStored, standing: 'accepted' }
      : { response: upstreamTimeout, standing: 'refused' };
  }
  if (isOk(upstream)) return { response: upstream, standing: 'accepted' };
  if (mode === 'msa' && isTemporary(upstream)) return { response: rcptStored, standing: 'held' };
  return { response: upstream, standing: 'refused' };
}

/** What became of one accepted recipient: its reply to DATA, or `undefined` for held or no reply in time. */
export interface DataOutcome {
  readonly reply: Response | undefined;
  /** Its failure would be reported to the sender. */
  readonly bounces: boolean;
}

export interface DataAnswer {
  readonly response: Response;
  /** Indices of the recipients to adopt before the answer is given. */
  readonly adopt: readonly number[];
}

const noRecipients: Response = reply(503, '5.5.1', 'no valid recipients');
const NOBODY: readonly number[] = [];

/** Folds the outcomes of all accepted recipients into the one answer to DATA. */
export function answerData(outcomes: readonly DataOutcome[], mode: FanoutMode): DataAnswer {
  const first = outcomes.length === 0 ? noRecipients : replyOf(outcomes[0]);
  const isSame = outcomes.every((outcome) => responseClass(replyOf(outcome)) === responseClass(first));
  if (isSame && (isOk(first) || isPermanent(first) || mode === 'ingress')) return { response: first, adopt: NOBODY };
  const failed = outcomes.flatMap((outcome, i) => (isOk(replyOf(outcome)) ? [] : [i]));
  // A permanent failure nobody would hear of must not hide behind a 250: then the client gets the failure itself.
  const silent = outcomes.find((outcome) => isPermanent(replyOf(outcome)) && !outcome.bounces);
  return silent === undefined ? { response: dataStored, adopt: failed } : { response: replyOf(silent), adopt: NOBODY };
}

function replyOf(outcome: DataOutcome | undefined): Response {
  return outcome?.reply ?? upstreamTimeout;
}
