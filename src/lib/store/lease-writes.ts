/**
 * Writes that lease something to our session, from when they are asked for until they are answered: meanwhile what they lease may be committed
 * although nobody here has been told of it. They are counted by eras, for on a busy store there is always one under way.
 */
export class LeaseWrites {
  #era = 0;
  /** How many of an era have no answer yet. */
  readonly #open = new Map<number, number>();

  /** Answers the era, for `ended`. */
  begun(): number {
    this.#open.set(this.#era, (this.#open.get(this.#era) ?? 0) + 1);
    return this.#era;
  }

  ended(era: number): void {
    const left = (this.#open.get(era) ?? 0) - 1;
    if (left > 0) this.#open.set(era, left);
    else this.#open.delete(era);
  }

  /** Begins an era, and answers it: what is asked for from now on belongs to it. */
  nextEra(): number {
    this.#era += 1;
    return this.#era;
  }

  /** Whether everything that was asked for before this era has been answered. */
  areAnsweredBefore(era: number): boolean {
    for (const open of this.#open.keys()) if (open < era) return false;
    return true;
  }
}
