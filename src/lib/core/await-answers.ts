/** Waits until everything that was asked of a transaction is answered: how an answer over REST can carry the replies it is asked for. */
import type { Clock } from './deps.ts';
import type { LiveTransaction } from './live.ts';
import type { Stop } from './stop.ts';
import { decisive, type TxState } from './transaction.ts';

/** A wait that ends by itself, or before. */
export interface Patience {
  readonly waitMs: number;
  readonly stop: Stop;
}

/** Resolves once everything is answered, or when the patience is over. Never rejects. */
export function awaitAnswers(live: LiveTransaction, { waitMs, stop }: Patience, clock: Clock): Promise<void> {
  if (isAllAnswered(live.state) || stop.isPulled) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      forget();
      stop.listen(undefined);
      live.unwatch(watcher);
      resolve();
    };
    const watcher = (): void => {
      if (isAllAnswered(live.state)) end();
    };
    const forget = clock.after(waitMs, end);
    stop.listen(end);
    live.watch(watcher);
  });
}

/** Nothing that was asked so far waits for its reply; a message does until some reply decides the transaction. */
export function isAllAnswered(state: TxState): boolean {
  const { mailFrom, rcptTo, body, replies, cancelled, final } = state;
  if (final !== undefined || cancelled || decisive(state) !== undefined) return true;
  if (body !== undefined || (mailFrom !== undefined && replies.mail === undefined)) return false;
  for (let i = 0; i < rcptTo.length; i += 1) if (replies.rcpt[i] === undefined) return false;
  return true;
}
