/** Keeps something alive that is forgotten when nothing is heard of it: one beat after each quiet interval. */
import type { Clock } from '../core/deps.ts';

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** When something was last heard, by the monotonic clock; a beat counts. */
  readonly lastHeardAt: () => number;
  /** Sends a beat; never rejects. */
  readonly beat: () => Promise<void>;
}

/** Beats until the returned function is called. */
export function keepAlive({ clock, intervalMs, lastHeardAt, beat }: HeartbeatOptions): () => void {
  let isStopped = false;
  let forget: () => void = () => undefined;
  const next = (): void => {
    forget = clock.after(Math.max(1, lastHeardAt() + intervalMs - clock.monotonicMs()), () => void due());
  };
  const due = async (): Promise<void> => {
    if (clock.monotonicMs() - lastHeardAt() >= intervalMs) await beat();
    if (!isStopped) next();
  };
  next();
  return () => {
    isStopped = true;
    forget();
  };
}
