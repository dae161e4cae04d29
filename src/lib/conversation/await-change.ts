/** The hanging GET on a live transaction (protocol §1.4). */
import type { Clock } from '../core/deps.ts';
import type { LiveTransaction } from '../core/live.ts';

export interface Wait {
  readonly ifNoneMatch: string;
  readonly waitMs: number;
}

/**
 * Answers `true` when there is something to show: the version differs from the one the client has, now or within the wait. A transaction
 * that will not change any more (`isEnded`) is not waited for.
 */
export async function awaitChange(
  live: LiveTransaction,
  wait: Wait | undefined,
  isEnded: () => boolean,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  if (wait === undefined || wait.ifNoneMatch !== String(live.version)) return true;
  if (isEnded()) return false;
  const stop = new AbortController();
  const version = live.version;
  const either = AbortSignal.any([signal, stop.signal]);
  void clock.sleep(wait.waitMs, either).then(() => stop.abort());
  const changed = await live.until((_, now) => now !== version, either);
  stop.abort();
  return changed;
}
