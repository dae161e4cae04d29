/**
 * Transactions whose create had no answer: they may be stored, though whoever asked was told that they are not, and sends them again. They are
 * cancelled as soon as the store can be reached, and until then not begun here, so that the message goes out once.
 *
 * A server may make a commit long after its client has given it up, as one whose disk stood still: so for a while each is cancelled again and again.
 */
import type { Deps } from '../core/deps.ts';
import { StoreUnavailableError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { NewTransaction, Store } from '../store/store.ts';

/** A commit that was given up this long ago is not made any more. */
const LATE_COMMIT_MS = 60_000;
/** So few that nobody else waits for them. */
const AT_ONCE = 50;

export interface UnpromisedOptions {
  readonly deps: Pick<Deps, 'clock' | 'log'>;
  readonly store: Pick<Store, 'cancel'>;
}

export class Unpromised {
  readonly #options: UnpromisedOptions;
  /** When each was refused, by the monotonic clock. Whose turn is longest ago comes first. */
  readonly #refusedAt = new Map<string, number>();

  constructor(options: UnpromisedOptions) {
    this.#options = options;
  }

  /** Hears why these were not created; also when that says that they certainly were not. */
  notCreated(transactions: readonly NewTransaction[], error: unknown): void {
    if (!(error instanceof StoreUnavailableError) || !error.isInDoubt) return;
    const { clock, log } = this.#options.deps;
    const ids = transactions.map(({ record }) => record.id);
    if (this.#refusedAt.size + ids.length > limits.storeQueueOperations) {
      log.warn({ tx: ids }, 'refused, and may be stored and delivered all the same: there are too many such');
      return;
    }
    log.info({ tx: ids }, 'refused, and may be stored all the same: then it is cancelled');
    for (const id of ids) this.#refusedAt.set(id, clock.monotonicMs());
  }

  has(id: string): boolean {
    return this.#refusedAt.has(id);
  }

  /** Nothing happens to those that are not stored. Rejects when the store is away. */
  async cancel(): Promise<void> {
    const { deps } = this.#options;
    const now = deps.clock.monotonicMs();
    const turn = [...this.#refusedAt].slice(0, AT_ONCE);
    await Promise.all(turn.map(([id, refusedAt]) => this.#cancel(id, now - refusedAt >= LATE_COMMIT_MS)));
  }

  async #cancel(id: string, isLastTime: boolean): Promise<void> {
    const { store, deps } = this.#options;
    await store.cancel(id, deps.clock.now());
    const refusedAt = this.#refusedAt.get(id);
    this.#refusedAt.delete(id);
    if (refusedAt !== undefined && !isLastTime) this.#refusedAt.set(id, refusedAt);
  }
}
