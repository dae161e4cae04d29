/**
 * Who hears what happens, so that it can be counted: each part calls the meter it was given, if any, and knows nothing of metrics. The calls
 * are made on the way of every message: they return at once and never throw.
 */
import type { Response } from './response.ts';
import type { UncertainPolicy } from './uncertainty.ts';

/** What an attempt led to; `deferred`: there will be another one; `uncertain`: somebody has to decide. */
export type AttemptOutcome = 'delivered' | 'deferred' | 'uncertain' | 'failed' | 'cancelled' | 'abandoned';

export interface AttemptMeasure {
  readonly sender: string;
  readonly outcome: AttemptOutcome;
  /** What decided it; absent when nobody answered. */
  readonly reply?: Response;
  readonly durationMs: number;
}

export interface RouterMeter {
  /** A transaction is stored: from now on it is ours to deliver or to report. */
  accepted(sender: string): void;
  attempt(measure: AttemptMeasure): void;
  /** The final dot of a message that is ours was sent and its reply never came: cut off by a crash, or not given by the far end. */
  uncertain(sender: string, cause: 'crash' | 'reply', policy: UncertainPolicy): void;
}

export interface StoreMeter {
  /** A batch of writes was committed, or failed. */
  batch(operations: number, durationMs: number): void;
}

export interface SmtpMeter {
  sessionBegun(): void;
  sessionEnded(): void;
  /** In capitals; only those that the server knows. */
  command(verb: string): void;
  reply(code: number): void;
}
