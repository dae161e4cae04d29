/** Who still needs the bytes of a body: counted, because several readers and recipients share one. */
import { must } from '../core/errors.ts';

export class References {
  readonly #what: string;
  readonly #onGone: () => void;
  #count = 1;

  /** Whoever makes it holds the first. `what` names the body in a complaint; `onGone` is called once, when the last is given back. */
  constructor(what: string, onGone: () => void) {
    this.#what = what;
    this.#onGone = onGone;
  }

  /** One more; the function gives it back, once however often it is called. */
  retain(): () => void {
    must(this.#count > 0, `${this.#what} is retained only while somebody still holds it`);
    this.#count += 1;
    let held = true;
    return () => {
      if (held) this.release();
      held = false;
    };
  }

  release(): void {
    must(this.#count > 0, `each reference to ${this.#what} is given back once`);
    this.#count -= 1;
    if (this.#count === 0) this.#onGone();
  }
}
