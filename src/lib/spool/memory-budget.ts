/**
 * What all messages that are coming in, or being passed on, may hold in memory together. Who gets nothing of it any more uses a file: a thousand
 * large messages at once are slower then, and nobody runs out of memory.
 */
export class MemoryBudget {
  readonly limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Says `false`, and takes nothing, when that is not left. What was taken is given back with `give`. */
  take(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.limitBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}
