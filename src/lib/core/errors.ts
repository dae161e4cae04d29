/** The errors that are thrown. Replies to a peer are values (`response.ts`), never exceptions. */

/** A bug: caught once at the top of an attempt or a request, logged, counted, answered 451 or 500. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** States what must be true here and why it matters; a failure is a bug in Koukan. */
export function must(condition: unknown, why: string): asserts condition {
  if (!condition) throw new InvariantError(why);
}

/** Exit codes of sysexits.h, as far as a mail program uses them. */
export const exitCodes = {
  ok: 0,
  usage: 64,
  dataErr: 65,
  noInput: 66,
  noUser: 67,
  noHost: 68,
  unavailable: 69,
  software: 70,
  osErr: 71,
  cantCreate: 73,
  ioErr: 74,
  tempFail: 75,
  protocol: 76,
  noPerm: 77,
  config: 78,
} as const;

/** A user's mistake: what is wrong, and what to do about it. Commands print it and exit with its code. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly exitCode: number;
  constructor(message: string, exitCode: number = exitCodes.usage) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Someone else changed the row first (optimistic concurrency). */
export class ConflictError extends Error {
  override readonly name = 'ConflictError';
}

/** This process no longer owns the transaction: another replica took it over. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}

/** The database cannot be written or reached now. Nothing of what was asked is promised; a later call tries afresh. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
  /** Because there is no space left. */
  readonly isFull: boolean;
  /** It was under way: nobody knows whether it was committed all the same. */
  readonly isInDoubt: boolean;
  constructor(
    message: string,
    options: ErrorOptions & { readonly isFull?: boolean; readonly isInDoubt?: boolean } = {},
  ) {
    super(message, options);
    this.isFull = options.isFull ?? false;
    this.isInDoubt = options.isInDoubt ?? false;
  }
}
