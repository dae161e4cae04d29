/** Answers for steps that cannot happen because an earlier one failed. They carry the class of their cause: a temporary failure stays one. */
import { isTemporary, type Response, reply } from './response.ts';

/** RCPT or DATA after a failed MAIL. */
export function mailFailed(cause: Response): Response {
  return isTemporary(cause)
    ? reply(450, '4.5.1', 'failed precondition: MAIL')
    : reply(503, '5.5.1', 'failed precondition: MAIL');
}

/** DATA when no recipient was accepted: temporary as soon as one of the refusals was. */
export function rcptsFailed(causes: readonly Response[]): Response {
  return causes.some(isTemporary)
    ? reply(450, '4.5.1', 'failed precondition: all rcpts failed')
    : reply(503, '5.5.1', 'failed precondition: all rcpts failed');
}

/** A step of a cancelled or closed exchange. */
export const cancelledReply: Response = reply(450, '4.4.2', 'transaction cancelled');

/** What is answered when a bug was caught: nothing internal leaks, and the client may try again. */
export const internalErrorReply: Response = reply(451, '4.3.0', 'internal error, try again later');
