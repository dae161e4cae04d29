/**
 * Ends one thing early, once, for a reason. It is what an AbortController is, for the one listener that a transaction has: a message takes
 * several of them, and each AbortController with its signal and listeners costs more than everything else that is made for it.
 */
export class Stop<R = unknown> {
  #isPulled = false;
  #reason: R | undefined;
  #listener: (() => void) | undefined;

  get isPulled(): boolean {
    return this.#isPulled;
  }

  /** Why; `undefined` before, and when none was given. */
  get reason(): R | undefined {
    return this.#reason;
  }

  /** The first call counts. */
  pull(reason?: R): void {
    if (this.#isPulled) return;
    this.#isPulled = true;
    this.#reason = reason;
    this.#listener?.();
  }

  /** Hears of it, unless it has happened already; there is one listener at a time. */
  listen(listener: (() => void) | undefined): void {
    this.#listener = listener;
  }
}
