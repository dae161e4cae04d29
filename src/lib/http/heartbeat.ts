/** Keeps something alive that is forgotten when nothing is heard of it: one beat after each quiet interval. */
import type { Clock } from '../core/deps.ts';

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** When something was last heard; a beat counts. */
  readonly lastHeardAt: () => number;
  /** Sends a beat; never rejects. */
  readonly beat: () => Promise<void>;
  /** Ends the beating. */
  readonly signal: AbortSignal;
}

/** Beats until the signal aborts. */
export async function keepAlive({ clock, intervalMs, lastHeardAt, beat, signal }: HeartbeatOptions): Promise<void> {
  for (;;) {
    await clock.sleep(Math.max(1, lastHeardAt() + intervalMs - clock.monotonicMs()), signal);
    if (signal.aborted) return;
    if (clock.monotonicMs() - lastHeardAt() >= intervalMs) await beat();
  }
}
