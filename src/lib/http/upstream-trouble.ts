/** What goes wrong between us and a REST peer, and the reply it becomes: temporary, unless the peer says that the message is too large. */
import type { Log } from '../core/deps.ts';
import { cancelledReply, internalErrorReply } from '../core/precondition.ts';
import { type Response, reply } from '../core/response.ts';
import type { Deadline } from './deadline.ts';
import { HttpTrouble } from './request.ts';

/** The peer answered, but with nothing we can use. `message` is short and may be shown to clients. */
export class UpstreamTrouble extends Error {
  override readonly name = 'UpstreamTrouble';
}

/** The peer will never take a message of this size (HTTP 413). */
export class TooLargeTrouble extends UpstreamTrouble {}

export const timeoutReply: Response = reply(450, '4.4.7', 'upstream timeout');

/** Turns an error of the client into a reply; an error that is a bug is logged as one. */
export function troubleReply(error: unknown, deadline: Deadline, log: Log): Response {
  if (error instanceof HttpTrouble && error.code === 'aborted') {
    return deadline.isOver() ? timeoutReply : cancelledReply;
  }
  if (error instanceof HttpTrouble) {
    log.info({ err: error }, 'no answer from the next hop');
    return reply(450, '4.4.1', 'upstream http exception');
  }
  if (error instanceof TooLargeTrouble) return reply(552, '5.3.4', 'message too large for the next hop');
  if (error instanceof UpstreamTrouble) {
    log.info({ err: error }, 'the next hop cannot be used');
    return reply(450, '4.4.1', `upstream ${error.message}`);
  }
  log.error({ err: error }, 'a bug in the REST client');
  return internalErrorReply;
}
