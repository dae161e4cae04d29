/** What goes wrong between us and a REST peer, and the reply it becomes: temporary, unless the peer says that the message is too large. */
import type { Log } from '../core/deps.ts';
import { cancelledReply, internalErrorReply } from '../core/precondition.ts';
import { type Response, reply } from '../core/response.ts';
import type { Deadline } from './deadline.ts';
import { type HttpAnswer, HttpTrouble, jsonObject } from './request.ts';

/** The peer answered, but with nothing we can use. `message` is short and may be shown to clients, `detail` is for the log. */
export class UpstreamTrouble extends Error {
  override readonly name = 'UpstreamTrouble';
  readonly detail: string | undefined;
  /** The status of the answer, when it was the status that was of no use. */
  readonly status: number | undefined;
  /** Whether the peer may have the message to its end; `undefined` where that is to be told from the error itself. */
  readonly isOffered: boolean | undefined;
  constructor(message: string, { detail, status, isOffered }: TroubleDetails = {}) {
    super(message);
    this.detail = detail;
    this.status = status;
    this.isOffered = isOffered;
  }
}

interface TroubleDetails {
  readonly detail?: string;
  readonly status?: number;
  readonly isOffered?: boolean;
}

const DETAIL_CHARS = 200;

/** A status that is of no use, with what the peer said about it: a problem document's words, or its text. */
export function peerRefusal(answer: HttpAnswer): UpstreamTrouble {
  const { detail, pointer } = jsonObject(answer) ?? {};
  const place = typeof pointer === 'string' ? `${pointer}: ` : '';
  const said = typeof detail === 'string' ? `${place}${detail}` : answer.body.toString('utf8');
  return new UpstreamTrouble(`http error ${answer.status}`, {
    detail: `${answer.url.href}: ${said.slice(0, DETAIL_CHARS)}`,
    status: answer.status,
  });
}

/** Client errors that say something about the moment and not about what was sent. */
const PASSING_STATUSES = new Set([404, 408, 412, 425, 429]);

/** Whether the peer judged what was sent, and would judge the same again: a 4xx that is not about the moment. */
export function isJudgement(error: unknown): boolean {
  if (!(error instanceof UpstreamTrouble) || error.status === undefined) return false;
  return error.status >= 400 && error.status <= 499 && !PASSING_STATUSES.has(error.status);
}

/** The peer will never take a message of this size (HTTP 413). */
export class TooLargeTrouble extends UpstreamTrouble {}

/** The peer did not take the parsed message, and may another time; the message itself was not offered. */
export class ParsedMessageTrouble extends UpstreamTrouble {}

/** The message that was to be sent cannot be had: not the peer's fault, and perhaps over soon. */
export class UnreadableTrouble extends UpstreamTrouble {}

/** Whether the message certainly did not get to the peer: it was refused for what it is, or was never offered whole. */
export function isNotOffered(error: unknown): boolean {
  if (error instanceof UpstreamTrouble && error.isOffered !== undefined) return !error.isOffered;
  if (error instanceof UnreadableTrouble || error instanceof ParsedMessageTrouble) return true;
  return error instanceof TooLargeTrouble || isJudgement(error);
}

export const timeoutReply: Response = reply(450, '4.4.7', 'upstream timeout');

/** RFC 3463 §3.4 and §3.5: not for this message, not for now, or no use at all. */
function enhancedCodeOf(error: UpstreamTrouble): string {
  if (error instanceof ParsedMessageTrouble) return '4.3.0';
  return error.status === 429 || error.status === 503 ? '4.3.2' : '4.4.1';
}

/** Turns an error of the client into a reply; an error that is a bug is logged as one. */
export function troubleReply(error: unknown, deadline: Deadline, log: Log): Response {
  if (error instanceof HttpTrouble && error.code === 'aborted') {
    return deadline.isOver() ? timeoutReply : cancelledReply;
  }
  if (error instanceof HttpTrouble) {
    log.warn({ why: error.message }, 'no answer from the next hop');
    return reply(450, '4.4.1', 'upstream http exception');
  }
  if (error instanceof TooLargeTrouble) return reply(552, '5.3.4', 'message too large for the next hop');
  if (error instanceof UnreadableTrouble) {
    log.warn({ why: error.detail }, error.message);
    return reply(451, '4.3.0', error.message);
  }
  if (error instanceof UpstreamTrouble) {
    log.warn({ why: error.message, ...(error.detail && { detail: error.detail }) }, 'the next hop refused the request');
    return reply(450, enhancedCodeOf(error), `upstream ${error.message}`);
  }
  log.error({ error }, 'a bug in the REST client');
  return internalErrorReply;
}
