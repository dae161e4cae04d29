/**
 * Compares what the store says is leased to this router with what the router has in work. Two things can be in the store that nobody here
 * knows of: a cancel that a client gave to another replica, and a lease that came with a commit whose answer was lost.
 */
import type { Deps } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { Lease, Store } from '../store/store.ts';
import type { Schedule } from './schedule.ts';
import type { Workshop } from './workshop.ts';

export interface LeaseKeeperOptions {
  readonly deps: Pick<Deps, 'clock' | 'log'>;
  readonly store: Pick<Store, 'leases' | 'releaseLeases' | 'leasesOnTheWay'>;
  readonly workshop: Pick<Workshop, 'find'>;
  readonly schedule: Pick<Schedule, 'isStarting'>;
}

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  /** Leases that nobody worked on when they were looked at last, with the version of their row. */
  #strays = new Map<string, number>();

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** Ends the attempts of what was cancelled at another replica. */
  async heedCancels(): Promise<void> {
    const { store, workshop, deps } = this.#options;
    for (const { txId } of await store.leases(true)) {
      const work = workshop.find(txId);
      if (work === undefined || work.hasEnded || work.live.state.cancelled) continue;
      deps.log.info({ tx: txId }, 'cancelled at another replica');
      work.live.apply({ type: 'cancel' });
    }
  }

  /** Lets go of leases that nobody has worked on since the last look. */
  async releaseStrays(): Promise<void> {
    const { store, deps } = this.#options;
    const idle = (await store.leases(false)).filter(({ txId }) => this.#isIdle(txId));
    const strays = idle.filter(({ txId, version }) => this.#strays.get(txId) === version);
    // While a claim is under way, what looks idle may be what it has just leased: its answer can be late, and then the work begins.
    const suspects = store.leasesOnTheWay === 0 ? idle : strays;
    this.#strays = new Map(suspects.map(({ txId, version }): [string, number] => [txId, version]));
    if (strays.length === 0) return;
    const released = await this.#release(strays);
    if (released > 0) deps.log.warn({ released }, 'let go of transactions that nobody had in work');
  }

  #isIdle(txId: string): boolean {
    const { workshop, schedule } = this.#options;
    return workshop.find(txId) === undefined && !schedule.isStarting(txId);
  }

  /** Not due at once: whatever left them behind, a bug perhaps, must not make a hot loop. */
  #release(strays: readonly Lease[]): Promise<number> {
    const { store, deps } = this.#options;
    return store.releaseLeases(strays, deps.clock.now() + limits.strayPauseMs, false);
  }
}
