/**
 * A live transaction: one in-memory object that both halves of the work share. The downstream half (accept) records what is asked and
 * awaits replies; the upstream half (attempt) follows the asks and records the replies. Nobody polls: every change wakes who waits.
 */
import { spentBody } from './body.ts';
import { NEW_TX, reduce, type TxEvent, type TxState, withBody } from './transaction.ts';

type Watcher = () => void;

/** Finds an answer in a transaction, such as the one to recipient number `index`. */
type Pick<T> = (state: TxState, index: number) => T | undefined;

/** Somebody who waits for an answer. */
interface Waiting<T> {
  readonly pick: Pick<T>;
  readonly index: number;
  readonly tell: (answer: T) => void;
}

const NO_WATCHERS: readonly Watcher[] = [];

export class LiveTransaction {
  readonly id: string;
  #state: TxState;
  #version: number;
  /** Replaced, never changed: whoever is being told may come and go meanwhile. */
  #watchers: readonly Watcher[] = NO_WATCHERS;
  /** In the order in which they came; most wait for one answer at a time. */
  readonly #waiting: Waiting<unknown>[] = [];

  constructor(id: string, state: TxState = NEW_TX, version = 0) {
    this.id = id;
    this.#state = state;
    this.#version = version;
  }

  get state(): TxState {
    return this.#state;
  }

  /** Grows with every change; the wire's ETag. */
  get version(): number {
    return this.#version;
  }

  /** Takes a legal step and tells all watchers; throws `IllegalStepError` and changes nothing for an illegal one. */
  apply(event: TxEvent): void {
    this.#state = reduce(this.#state, event);
    this.#version += 1;
    for (const watcher of this.#watchers) watcher();
    this.#tellWaiting();
  }

  /** Whoever is told may take the next step at once, so nobody who was told is on the list any more. */
  #tellWaiting(): void {
    for (let i = 0; i < this.#waiting.length; ) {
      const { pick, index, tell } = this.#waiting[i] as Waiting<unknown>;
      const answer = pick(this.#state, index);
      if (answer === undefined) {
        i += 1;
      } else {
        this.#waiting.splice(i, 1);
        tell(answer);
      }
    }
  }

  /**
   * Lets go of the bytes of the message once the transaction has ended, while the rest stays readable for a while. Nobody can see the
   * difference from outside, so this is no step and no new version.
   */
  dropBody(): void {
    const { body } = this.#state;
    if (body !== undefined) this.#state = withBody(this.#state, spentBody(body.size));
  }

  /** Calls `watcher` after every step, before `apply` returns; it must not throw. */
  watch(watcher: Watcher): void {
    this.#watchers = this.#watchers.length === 0 ? [watcher] : [...this.#watchers, watcher];
  }

  unwatch(watcher: Watcher): void {
    const isOnly = this.#watchers.length === 1 && this.#watchers[0] === watcher;
    this.#watchers = isOnly ? NO_WATCHERS : this.#watchers.filter((each) => each !== watcher);
  }

  /** Resolves with the first answer that `pick` finds in the transaction, now or after a later step. */
  when<T>(pick: Pick<T>, index = 0): Promise<T> {
    return new Promise((resolve) => this.tell(resolve, pick, index));
  }

  /** Calls back once, with the first answer that `pick` finds in the transaction: at once, or before the `apply` that brings it returns. */
  tell<T>(tell: (answer: T) => void, pick: Pick<T>, index = 0): void {
    const found = pick(this.#state, index);
    if (found === undefined) this.#waiting.push({ pick, index, tell } as Waiting<unknown>);
    else tell(found);
  }

  /** Resolves with `true` once `holds` is true of the transaction, or with `false` when `signal` aborts first. Never rejects. */
  until(holds: (state: TxState, version: number) => boolean, signal?: AbortSignal): Promise<boolean> {
    if (holds(this.#state, this.#version)) return Promise.resolve(true);
    if (signal?.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (held: boolean): void => {
        this.unwatch(watcher);
        signal?.removeEventListener('abort', onAbort);
        resolve(held);
      };
      const watcher = (): void => {
        if (holds(this.#state, this.#version)) settle(true);
      };
      const onAbort = (): void => settle(false);
      this.watch(watcher);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
