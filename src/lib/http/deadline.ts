/**
 * A point in time that ends requests and waits, together with whoever may end them before. Each message takes several, so one costs a timer and
 * nothing else: an AbortSignal is made only for those who need one.
 */
import type { Clock } from '../core/deps.ts';
import { limits } from '../core/limits.ts';

/** What may end something early. */
export interface Ending {
  readonly isEnded: boolean;
  /** Calls back once, when it ends, unless that has happened already; the returned function takes that back. */
  onEnd(listener: () => void): () => void;
}

export interface Deadline extends Ending {
  /** Aborts at the deadline, or when the exchange ends. */
  readonly signal: AbortSignal;
  /** Milliseconds left, never negative. */
  leftMs(): number;
  /** Whether the time is over (rather than the exchange). */
  isOver(): boolean;
  /** Releases the timer; nothing ends after that. */
  clear(): void;
}

/** Those deadlines of one exchange that are running: it ends them all when it ends. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #running = new Set<() => void>();
  #isStopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Starts a deadline `ms` from now. The caller clears it when done. */
  start(ms: number): Deadline {
    const deadline = new Timed(this.#clock, ms, this.#running);
    if (this.#isStopped) deadline.end();
    return deadline;
  }

  /** Ends those that run, and every later one at once. */
  stop(): void {
    this.#isStopped = true;
    for (const end of [...this.#running]) end();
  }
}

/** Starts a deadline `ms` from now. The caller clears it when done. */
export function startDeadline(clock: Clock, ms: number): Deadline {
  return new Timed(clock, ms, undefined);
}

/** A reason of one's own: the default one is an exception with a stack, made anew each time. */
const OVER = 'over';

class Timed implements Deadline {
  readonly #clock: Clock;
  readonly #at: number;
  readonly #group: Set<() => void> | undefined;
  readonly #forget: () => void;
  readonly #listeners = new Set<() => void>();
  #abort: AbortController | undefined;
  #isEnded = false;
  #isOver = false;
  readonly end = (): void => {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.clear();
    this.#abort?.abort(OVER);
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  };

  constructor(clock: Clock, ms: number, group: Set<() => void> | undefined) {
    this.#clock = clock;
    this.#at = clock.monotonicMs() + ms;
    this.#group = group;
    group?.add(this.end);
    this.#forget = clock.after(ms, () => {
      this.#isOver = true;
      this.end();
    });
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#isEnded) this.#abort.abort(OVER);
    return this.#abort.signal;
  }

  onEnd(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  leftMs(): number {
    return Math.max(0, this.#at - this.#clock.monotonicMs());
  }

  isOver(): boolean {
    return this.#isOver;
  }

  clear(): void {
    this.#forget();
    this.#group?.delete(this.end);
  }
}

/** What a peer is told of our patience (protocol §1.1): a second less than we have, nothing when that is too little to say. */
export function patience(deadline: Deadline): { readonly 'request-timeout'?: string } {
  const secondsLeft = Math.floor(deadline.leftMs() / 1000);
  return secondsLeft >= 2 ? { 'request-timeout': String(secondsLeft - 1) } : {};
}

/**
 * How many seconds an answer to a create or a PATCH may wait for replies. Not long: while it is awaited, nothing else can be asked of the
 * transaction, and a create cannot be taken back.
 */
export function answerWait(deadline: Deadline): number {
  return Math.min(ANSWER_WAIT_SECONDS, Math.floor(deadline.leftMs() / 1000));
}

const ANSWER_WAIT_SECONDS = 1;

/** The same for the upload that completes a message, after which nothing is asked any more: as long as a hanging GET. */
export function finalAnswerWait(deadline: Deadline): number {
  return Math.max(0, Math.floor(Math.min(limits.hangingGetMs, deadline.leftMs() - PATIENCE_MARGIN_MS) / 1000));
}

const PATIENCE_MARGIN_MS = 1000;
