/**
 * Compares what the store says is leased to this router with what the router has in work. Two things can be in the store that nobody here
 * knows of: a cancel that a client gave to another replica, and a lease that came with a commit whose answer was lost.
 */
import type { Deps } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import type { Store } from '../store/store.ts';
import type { Schedule } from './schedule.ts';
import type { Workshop } from './workshop.ts';

export interface LeaseKeeperOptions {
  readonly deps: Pick<Deps, 'clock' | 'log'>;
  readonly store: Pick<Store, 'leases' | 'releaseLeases' | 'leaseWrites'>;
  readonly workshop: Pick<Workshop, 'find'>;
  readonly schedule: Pick<Schedule, 'isStarting' | 'claimsInDoubt'>;
}

/** What nobody worked on when the leases were looked at last. */
interface Suspects {
  /** The version of each row. */
  readonly versions: ReadonlyMap<string, number>;
  /** The writes that may have leased them, and whose answers may have been late then, were asked for before this era. */
  readonly era: number;
}

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  #suspects: Suspects = { versions: new Map(), era: 0 };
  /** How many claims had been in doubt when it was last made sure that none of them has left anything behind. */
  #claimsSettled = 0;
  /** The same, at the first of two looks. */
  #claimsLookedFor: number | undefined;

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

  /** Lets go of leases that nobody has worked on since the last look. Not due at once: what left them behind, a bug perhaps, must not make a hot loop. */
  async releaseStrays(): Promise<void> {
    if (this.#options.schedule.claimsInDoubt !== this.#claimsSettled) return;
    await this.#look(limits.strayPauseMs, false);
  }

  /**
   * Looks twice after a claim whose answer was lost, which may have been made all the same: what it leased is mail that was promised, and due; the attempt
   * that it began was none.
   */
  async releaseLost(): Promise<void> {
    const { claimsInDoubt } = this.#options.schedule;
    if (claimsInDoubt === this.#claimsSettled) return;
    const isCertain = await this.#look(0, true);
    if (this.#claimsLookedFor === undefined || !isCertain) {
      this.#claimsLookedFor ??= claimsInDoubt;
      return;
    }
    // What fails after the first look is looked for by two others.
    this.#claimsSettled = this.#claimsLookedFor;
    this.#claimsLookedFor = undefined;
  }

  /** Answers whether what it saw idle twice was certainly nobody's: no lease that was on its way at the first look is still. */
  async #look(pauseMs: number, dropAttempt: boolean): Promise<boolean> {
    const { store, deps } = this.#options;
    const idle = (await store.leases(false)).filter(({ txId }) => this.#isIdle(txId));
    const { versions, era } = this.#suspects;
    const isCertain = store.leaseWrites.areAnsweredBefore(era);
    const strays = isCertain ? idle.filter(({ txId, version }) => versions.get(txId) === version) : [];
    this.#suspects = {
      versions: new Map(idle.map(({ txId, version }): [string, number] => [txId, version])),
      era: store.leaseWrites.nextEra(),
    };
    if (strays.length === 0) return isCertain;
    const released = await store.releaseLeases(strays, deps.clock.now() + pauseMs, dropAttempt);
    if (released > 0) deps.log.warn({ released }, 'let go of transactions that nobody had in work');
    return isCertain;
  }

  #isIdle(txId: string): boolean {
    const { workshop, schedule } = this.#options;
    return workshop.find(txId) === undefined && !schedule.isStarting(txId);
  }
}
