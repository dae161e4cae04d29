/** One line for each message a gateway has offered to a destination for a router somewhere else. Addresses, and nothing of the message. */
import type { Log } from '../core/deps.ts';
import type { Origin } from '../core/envelope.ts';
import { formatResponse, isOk } from '../core/response.ts';
import { decisive, type TxState } from '../core/transaction.ts';

export interface SentFacts {
  readonly tag: string | undefined;
  /** Its remote host is the destination. */
  readonly origin: Origin;
  readonly durationMs: number;
}

export function logSent(log: Log, state: TxState, { tag, origin, durationMs }: SentFacts): void {
  const reply = decisive(state);
  const [rcpt] = state.rcptTo;
  log.info(
    {
      tag,
      mailFrom: state.mailFrom?.address,
      rcptTo: rcpt?.address,
      rcpts: state.rcptTo.length > 1 ? state.rcptTo.length : undefined,
      host: origin.remoteHost && `${origin.remoteHost.host}:${origin.remoteHost.port}`,
      reply: reply && formatResponse(reply),
      sizeBytes: state.body?.size,
      durationMs: Math.max(0, durationMs),
    },
    reply !== undefined && isOk(reply) ? 'sent' : 'not sent',
  );
}
