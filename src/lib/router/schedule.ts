/** Takes due transactions out of the store and starts their next attempt: retries, notifications, and what a dead replica left. */
import type { Deps } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import { NEW_TX } from '../core/transaction.ts';
import type { PassedOver } from '../store/passed-over.ts';
import { type Store, type StoredTransaction, StoreUnavailableError } from '../store/store.ts';
import type { Doubts } from './doubts.ts';
import { loadBody } from './load-body.ts';
import type { RouteTable } from './route-table.ts';
import { stateOf } from './stored-state.ts';
import type { Unpromised } from './unpromised.ts';
import { Work } from './work.ts';
import type { Workshop } from './workshop.ts';

/** Other replicas add due work without telling us, so we look at least this often. */
const POLL_MS = 1000;
const CLAIM_AT_ONCE = 50;

export interface ScheduleOptions {
  readonly deps: Deps;
  readonly store: Store;
  readonly routes: RouteTable;
  readonly workshop: Workshop;
  readonly doubts: Doubts;
  /** What is not to be begun. */
  readonly unpromised: Pick<Unpromised, 'has'>;
}

export class Schedule {
  readonly #options: ScheduleOptions;
  /** Ends the pause between two looks. */
  #wake: () => void = () => undefined;
  #isRung = false;
  /** There was more due than there were slots, or some had their share of them already. */
  #isStarved = false;
  /** By the monotonic clock: when it is worth while to look for others again, past those who have their share. */
  #pastOthersAt = 0;
  /** Claimed but not started yet. Nobody else will: the lease is ours. */
  readonly #unstarted = new Set<string>();
  /** Claimed, and being read from the store. */
  readonly #starting = new Set<string>();
  /** Senders of stored transactions that are not configured; each is reported once. */
  readonly #unknownSenders = new Set<string>();
  #claimsInDoubt = 0;

  constructor(options: ScheduleOptions) {
    this.#options = options;
  }

  /** Something may have fallen due. */
  ring(): void {
    this.#isRung = true;
    this.#wake();
  }

  /** Whether a transaction is claimed by this router and about to be started. */
  isStarting(id: string): boolean {
    return this.#starting.has(id) || this.#unstarted.has(id);
  }

  /** Claims so far whose answer was lost: they may have been made all the same. */
  get claimsInDoubt(): number {
    return this.#claimsInDoubt;
  }

  /** A slot became free; matters only while due work waits for one. */
  slotFreed(): void {
    if (this.#isStarved) this.ring();
  }

  /** Claims and starts until `stop` aborts. */
  async run(stop: AbortSignal): Promise<void> {
    const onStop = (): void => this.ring();
    stop.addEventListener('abort', onStop, { once: true });
    while (!stop.aborted) {
      this.#isRung = false;
      const isMoreLikely = await this.#claim();
      if (isMoreLikely || this.#isRung) continue;
      await this.#pause();
    }
    stop.removeEventListener('abort', onStop);
  }

  /** Answers whether there may be more that can start at once. */
  async #claim(): Promise<boolean> {
    const { workshop, store, deps } = this.#options;
    const { atOnce, passedOver } = workshop.backlog;
    const room = Math.min(atOnce, CLAIM_AT_ONCE);
    const isForSome = passedOver.shares.length + passedOver.lanes.length > 0;
    this.#isStarved = room === 0 || isForSome;
    if (room === 0 || (isForSome && deps.clock.monotonicMs() < this.#pastOthersAt)) return false;
    try {
      await this.#startAgain();
      // A read, so that looking costs the writer nothing.
      const dueAt = await store.nextDueAt();
      if (dueAt === undefined || dueAt > deps.clock.now()) return false;
      const due = await this.#claimDue(room, passedOver);
      const isMoreLikely = due.length === room;
      // Who found nothing has read past all that the others have due.
      if (isForSome && !isMoreLikely) this.#pastOthersAt = deps.clock.monotonicMs() + POLL_MS;
      await Promise.all(due.map((stored) => this.#tryToStart(stored)));
      return isMoreLikely;
    } catch (error) {
      deps.log.error({ error }, 'due transactions could not be claimed, trying again');
      return false;
    }
  }

  async #claimDue(room: number, passedOver: PassedOver): Promise<readonly StoredTransaction[]> {
    const { store, deps } = this.#options;
    try {
      return await store.claimDue(deps.clock.now(), room, passedOver);
    } catch (error) {
      if (error instanceof StoreUnavailableError && error.isInDoubt) this.#claimsInDoubt += 1;
      throw error;
    }
  }

  /** What could not be started before: the message could not be read, or an attempt under an earlier lease was still under way. */
  async #startAgain(): Promise<void> {
    const { store, workshop } = this.#options;
    for (const id of [...this.#unstarted]) {
      if (workshop.backlog.atOnce === 0) return;
      // Its end changes what is stored, and a look that is older than that end would show the lease that went with it.
      if (workshop.find(id) !== undefined) continue;
      const stored = await store.load(id);
      this.#unstarted.delete(id);
      // Another replica may have declared us dead and taken it over meanwhile.
      if (stored?.lease !== undefined && stored.lease.sessionId === store.sessionId) await this.#tryToStart(stored);
    }
  }

  async #tryToStart(stored: StoredTransaction): Promise<void> {
    const { deps, workshop } = this.#options;
    const { id } = stored.record;
    this.#starting.add(id);
    try {
      if (workshop.find(id) === undefined) await this.#start(stored);
      else this.#unstarted.add(id);
    } catch (error) {
      deps.log.error({ tx: id, error }, 'a due transaction could not be started, trying again');
      this.#unstarted.add(id);
    } finally {
      this.#starting.delete(id);
    }
  }

  async #start(stored: StoredTransaction): Promise<void> {
    const { deps, store, routes, workshop, doubts, unpromised } = this.#options;
    const { record } = stored;
    const lookup = routes.find(record.sender, record.tag);
    if (lookup.kind !== 'found') {
      await this.#keep(stored);
      return;
    }
    if (unpromised.has(record.id)) {
      await this.#giveBack(stored, limits.strayPauseMs);
      return;
    }
    const body = await loadBody(store, record.id, record.messageBuilder, deps);
    // Reading took time, in which another replica may have taken this one for dead: then the claim is void, and the message another's.
    if (stored.lease?.sessionId !== store.sessionId) return;
    const { id, origin, createdAt, parentId, messageBuilder } = record;
    const facts = {
      id,
      route: lookup.route,
      origin,
      createdAt,
      ...(parentId !== undefined && { parentId }),
      ...(messageBuilder !== undefined && { messageBuilder }),
    };
    if (await doubts.settle(stored, facts, body)) return;
    const past = stored.attempts.slice(0, -1);
    const state = { ...NEW_TX, ...stateOf(stored), ...(body !== undefined && { body }), attemptCount: past.length };
    const work = new Work(facts, {
      state,
      version: stored.version,
      pastAttempts: past,
      isDurable: true,
      now: deps.clock.monotonicMs(),
    });
    work.declareBlobs(stored.blobs);
    if (body !== undefined) work.hold(body);
    workshop.start(work);
  }

  /** The configuration changed under a waiting transaction, or is not the same everywhere yet: it waits for a router that knows its sender. */
  async #keep(stored: StoredTransaction): Promise<void> {
    const { deps } = this.#options;
    const { id: txId, sender, tag } = stored.record;
    const name = JSON.stringify([sender, tag]);
    const fields = { tx: txId, sender, tag };
    if (this.#unknownSenders.has(name)) deps.log.debug(fields, 'the sender of a stored transaction is not configured');
    else deps.log.error(fields, 'the sender of a stored transaction is not configured; it is kept');
    if (this.#unknownSenders.size < limits.unknownSenders) this.#unknownSenders.add(name);
    await this.#giveBack(stored, limits.unknownSenderPauseMs);
  }

  async #giveBack({ record, version, cancelled }: StoredTransaction, pauseMs: number): Promise<void> {
    const { deps, store } = this.#options;
    await store.releaseLeases([{ txId: record.id, version, cancelled }], deps.clock.now() + pauseMs, true);
  }

  /** Until somebody rings. Without a signal of its own: what is made of a signal that lives as long as the router is remembered as long. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.deps.clock.after(POLL_MS, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
