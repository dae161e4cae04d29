/**
 * A live transaction: one in-memory object that both halves of the work share. The downstream half (accept) records what is asked and
 * awaits replies; the upstream half (attempt) follows the asks and records the replies. Nobody polls: every change wakes who waits.
 */
import { spentBody } from './body.ts';
import { NEW_TX, reduce, type TxEvent, type TxState, withBody } from './transaction.ts';

type Watcher = () => void;

export class LiveTransaction {
  readonly id: string;
  #state: TxState;
  #version: number;
  /** Replaced, never changed: whoever is being told may come and go meanwhile. */
  #watchers: readonly Watcher[] = [];

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
    this.#watchers = this.#watchers.filter((each) => each !== watcher);
  }

  /** Resolves with the first answer that `pick` finds in the transaction, now or after a later step. */
  when<T>(pick: (state: TxState) => T | undefined): Promise<T> {
    const found = pick(this.#state);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve) => {
      const watcher = (): void => {
        const answer = pick(this.#state);
        if (answer === undefined) return;
        this.unwatch(watcher);
        resolve(answer);
      };
      this.watch(watcher);
    });
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
