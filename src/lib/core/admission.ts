/**
 * Whether a process takes on anything new. Everything that is bounded says no by itself where its bound is; this is for what has no place of
 * its own: a process that no longer keeps up, whose every answer would only come later and later. There is one admission in a process, and
 * all doors ask it: the greeting of SMTP, MAIL, and creates over REST. What is begun is never refused.
 */
import { limits } from './limits.ts';

/** What a process does not keep up with: its own events, or what is to be committed. */
export type Overload = 'loop' | 'store';

/** How busy a process is, at one look. */
export interface Load {
  /** By how much it was late to look. */
  readonly lateMs: number;
  /** Writes that wait for a commit, and their bytes; a gateway has none. */
  readonly waitingWrites: number;
  readonly waitingBytes: number;
}

/** What was found at the looks so far. */
export interface LoadHistory {
  readonly overload: Overload | undefined;
  /** Looks in a row that were too late. */
  readonly lateLooks: number;
}

export const NO_HISTORY: LoadHistory = { overload: undefined, lateLooks: 0 };

/** It is over when half of a bound is reached: who only just keeps up is not asked for more at once. */
const OVER_AT = 0.5;

/** One late look is an accident (a garbage collection, a machine that slept); several in a row are a load. */
export function judgeLoad(load: Load, before: LoadHistory): LoadHistory {
  const { overload } = before;
  const factor = (kind: Overload): number => (overload === kind ? OVER_AT : 1);
  const isLate = load.lateMs > limits.overloadLateMs * factor('loop');
  const lateLooks = isLate ? before.lateLooks + 1 : 0;
  const isFull =
    load.waitingWrites > limits.overloadWrites * factor('store') ||
    load.waitingBytes > limits.overloadWriteBytes * factor('store');
  if (isFull) return { overload: 'store', lateLooks };
  return { overload: lateLooks >= limits.overloadLooks ? 'loop' : undefined, lateLooks };
}

/** Where somebody was refused. */
export type Door = 'session' | 'mail' | 'rcpt' | 'create';

/**
 * Why: too much in all (`places`), too much of one sender or peer (`share`, `peer`), or of one sender for one domain (`domain`), or a process that
 * does not keep up (`loop`, `store`).
 */
export type Refusal = 'places' | 'share' | 'peer' | 'domain' | Overload;

export interface Admission {
  /** Absent: whoever comes is welcome, as far as there are places. */
  readonly overload: Overload | undefined;
  /** Somebody was sent away, for now. */
  refused(door: Door, why: Refusal): void;
}

/** For those who are bounded by others. */
export const alwaysOpen: Admission = { overload: undefined, refused: () => undefined };
