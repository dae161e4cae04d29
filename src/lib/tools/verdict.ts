/** What became of a message for one recipient, read from the transaction's JSON; and the exit status that says so (sysexits.h). */
import { exitCodes } from '../core/errors.ts';
import { formatResponse, isOk, isPermanent, type Response, responseFromText } from '../core/response.ts';
import { isJsonObject } from '../http/request.ts';
import type { Json } from './send/submission.ts';

export type VerdictState =
  | 'delivered'
  /** Refused, or given up. */
  | 'failed'
  /** Refused for now; the router will try again. */
  | 'deferred'
  /** Handed over, and nobody waited for more. */
  | 'submitted'
  /** No answer in the time that was given. */
  | 'unknown'
  /** Could not be handed over. */
  | 'error';

export interface Verdict {
  readonly state: VerdictState;
  /** The reply that decided. */
  readonly response?: Response;
  /** For people, when there is no reply. */
  readonly reason?: string;
  readonly exitCode: number;
}

/** The verdict so far; `isSettled` says whether more can come. */
export function readVerdict(view: Json): Verdict & { readonly isSettled: boolean } {
  const response = decisiveReply(view);
  const { final_attempt_reason: final } = view;
  const reason = typeof final === 'string' ? { reason: final } : {};
  if (response === undefined) {
    const isSettled = typeof final === 'string';
    return { state: isSettled ? 'failed' : 'unknown', ...reason, exitCode: exitCodes.tempFail, isSettled };
  }
  if (isOk(response)) return { state: 'delivered', response, exitCode: exitCodes.ok, isSettled: true };
  if (isPermanent(response)) {
    return { state: 'failed', response, ...reason, exitCode: exitCodeOf(response), isSettled: true };
  }
  const isSettled = typeof final === 'string';
  return { state: isSettled ? 'failed' : 'deferred', response, ...reason, exitCode: exitCodes.tempFail, isSettled };
}

/** The worst of several, where something that may still change comes first: whoever scripts on 75 tries again. */
export function worstExitCode(codes: readonly number[]): number {
  return codes.includes(exitCodes.tempFail) ? exitCodes.tempFail : Math.max(exitCodes.ok, ...codes);
}

export function verdictText({ state, response, reason }: Verdict): string {
  const detail = response === undefined ? reason : formatResponse(response);
  return `${SENTENCES[state]}${detail === undefined ? '' : `: ${detail}`}`;
}

const SENTENCES: Readonly<Record<VerdictState, string>> = {
  delivered: 'delivered',
  failed: 'not delivered',
  deferred: 'not delivered yet, will be tried again',
  submitted: 'handed over',
  unknown: 'no answer yet',
  error: 'not sent',
};

/** A failed MAIL, a failed RCPT, else the answer to the message. */
function decisiveReply(view: Json): Response | undefined {
  const mail = responseOf(view.mail_response);
  if (mail !== undefined && !isOk(mail)) return mail;
  const rcpt = Array.isArray(view.rcpt_response) ? responseOf(view.rcpt_response[0]) : undefined;
  if (rcpt !== undefined && !isOk(rcpt)) return rcpt;
  return responseOf(view.data_response);
}

function responseOf(value: unknown): Response | undefined {
  if (!isJsonObject(value) || typeof value.code !== 'number') return undefined;
  return responseFromText(value.code, typeof value.message === 'string' ? value.message : '');
}

/** RFC 3463 §3.2: 1.1 is a bad mailbox; 1.2 and 1.10 a host that does not exist or takes no mail. */
function exitCodeOf({ enhanced }: Response): number {
  if (enhanced === '5.1.1') return exitCodes.noUser;
  return enhanced === '5.1.2' || enhanced === '5.1.10' ? exitCodes.noHost : exitCodes.unavailable;
}
