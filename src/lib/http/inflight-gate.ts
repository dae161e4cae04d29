/** How many requests of a kind are at work at the same time: beyond the limit a client is told to come back, before its entity is read. */
import { RequestProblem } from './service.ts';

export class InflightGate {
  readonly #max: number;
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  /** Takes a place, or answers `false` when there is none. */
  tryEnter(): boolean {
    if (this.#count >= this.#max) return false;
    this.#count += 1;
    return true;
  }

  /** Takes a place, or throws a `RequestProblem` 503. */
  enter(): void {
    if (!this.tryEnter()) throw new RequestProblem(503, 'server busy', { headers: { 'retry-after': '1' } });
  }

  leave(): void {
    this.#count -= 1;
  }
}
