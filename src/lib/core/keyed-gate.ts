/** How many of something one peer, or one sender, has under way at the same time. Only those with something under way are remembered. */

export class KeyedGate {
  readonly #max: number;
  readonly #counts = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes a place for this key, or answers `false` when all are taken; `max` where the key has a bound of its own. */
  tryEnter(key: string, max = this.#max): boolean {
    const count = this.#counts.get(key) ?? 0;
    if (count >= max) return false;
    this.#counts.set(key, count + 1);
    return true;
  }

  /** Gives a place back; once for each `tryEnter` that answered `true`. */
  leave(key: string): void {
    const count = this.#counts.get(key) ?? 0;
    if (count <= 1) this.#counts.delete(key);
    else this.#counts.set(key, count - 1);
  }
}
