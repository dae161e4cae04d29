/** Notes on a reply which server gave it, and whether that server now has the duty to report a success (RFC 3461 §5.2). */
import { type Handover, isOk, type ReplySource, type Response } from '../core/response.ts';
import type { SmtpConnection } from '../smtp/client/connection.ts';

/** What a connection that broke answers is our own word, not the server's. */
export function saidBy(connection: SmtpConnection, response: Response): Response {
  if (!connection.isOpen && !isOk(response)) return response;
  return from(response, connection.source);
}

/** The answer to the message. */
export function saidAtEndBy(connection: SmtpConnection, response: Response): Response {
  if (!isOk(response)) return saidBy(connection, response);
  return from(response, { mta: connection.mta, handover: handoverTo(connection) });
}

/** Written out for the usual reply: a spread that adds a key takes an engine much longer. */
function from(response: Response, source: ReplySource): Response {
  const { code, enhanced, text, inDoubt } = response;
  if (enhanced === undefined || inDoubt !== undefined) return { ...response, source };
  return { code, enhanced, text, source };
}

/** An LMTP server delivers before it answers (RFC 2033 §4.2), so a report is due here, unless it makes its own. */
function handoverTo({ capabilities, profile }: SmtpConnection): Handover {
  if (capabilities.has('DSN')) return 'passed';
  return profile.protocol === 'lmtp' ? 'delivered' : 'relayed';
}
