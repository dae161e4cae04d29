/**
 * Transactions whose create had no answer: they may be stored, though whoever asked was told that they are not, and sends them again. They are
 * cancelled as soon as the store can be reached, and until then not begun here, so that the message goes out once.
 */

import type { Clock } from '../core/deps.ts';
import { StoreUnavailableError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { NewTransaction, Store } from '../store/store.ts';

export interface UnpromisedOptions {
  readonly deps: { readonly clock: Pick<Clock, 'now'> };
  readonly store: Pick<Store, 'cancel'>;
}

export class Unpromised {
  readonly #options: UnpromisedOptions;
  readonly #ids = new Set<string>();

  constructor(options: UnpromisedOptions) {
    this.#options = options;
  }

  /** Hears why these were not created; also when that says that they certainly were not. */
  notCreated(transactions: readonly NewTransaction[], error: unknown): void {
    if (!(error instanceof StoreUnavailableError) || !error.isInDoubt) return;
    for (const { record } of transactions) {
      // More than these cannot have been under way.
      if (this.#ids.size < limits.storeQueueOperations) this.#ids.add(record.id);
    }
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** As many as one commit takes, so that nobody else waits for them. Nothing happens to those that are not stored. Rejects when the store is away. */
  async cancel(): Promise<void> {
    const { store, deps } = this.#options;
    await Promise.all(
      [...this.#ids].slice(0, limits.storeBatchOperations).map(async (id) => {
        await store.cancel(id, deps.clock.now());
        this.#ids.delete(id);
      }),
    );
  }
}
