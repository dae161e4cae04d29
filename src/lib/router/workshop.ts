/**
 * The workshop: every transaction this router has in work, from its first attempt until what the attempt led to is recorded. It bounds how
 * many there are, and is the one place where an attempt is started and concluded.
 */
import { LastReads } from '../conversation/last-reads.ts';
import type { Refusal } from '../core/admission.ts';
import type { Log } from '../core/deps.ts';
import { must } from '../core/errors.ts';
import type { RetryDecision } from '../core/retry.ts';
import type { TxState } from '../core/transaction.ts';
import { TransientMap } from '../core/transient-map.ts';
import type { TransactionView } from '../http/service.ts';
import { Attempt, type AttemptEnv, bugIn, type WorkEnd } from './attempt.ts';
import { type ConcludeEnv, decide, recordOutcome } from './conclude.ts';
import type { DotJournal } from './dot-journal.ts';
import type { Journal } from './journal.ts';
import { type Backlog, type Party, Places } from './places.ts';
import { settleSuccess } from './success.ts';
import { viewOfWork } from './view.ts';
import { SETTLED, type Work } from './work.ts';

export interface WorkshopOptions extends ConcludeEnv {
  readonly maxInflight: number;
  readonly journal: Journal;
  readonly dots: DotJournal;
  /** Whether what is leased to this router is certainly still its own. */
  readonly isLeaseCertain: AttemptEnv['isLeaseCertain'];
  /** How long an ended transaction stays readable from memory. */
  readonly doneTtlMs: number;
  /** Hears that notifications fell due. */
  readonly onDue: () => void;
  /** Hears that a slot became free. */
  readonly onSlotFreed: () => void;
}

export class Workshop {
  readonly #options: WorkshopOptions;
  /** What every attempt is made with. */
  readonly #attempts: AttemptEnv;
  readonly #byId = new TransientMap<string, Work>();
  /** Attempts under way, and places kept for transactions that are being stored; shared among the senders they are for. */
  readonly #places: Places;
  /** Attempts under way. */
  #inflight = 0;
  readonly #reads = new LastReads();
  readonly #ended: { readonly work: Work; readonly at: number }[] = [];

  constructor(options: WorkshopOptions) {
    const { isLeaseCertain, dots } = options;
    this.#options = options;
    this.#attempts = { isLeaseCertain, dots, onAnswer: (work, response) => settleSuccess(work, response, options) };
    this.#places = new Places(options.maxInflight);
  }

  /** What may start of what is due. */
  get backlog(): Backlog {
    return this.#places.backlog;
  }

  /** Whether an attempt for these may start now. */
  hasRoom(party: Party): boolean {
    return this.#places.isOpenTo(party);
  }

  /** Why there is no room for them. */
  whyFull(party: Party): Refusal {
    return this.#places.whyClosed(party);
  }

  /** Keeps a place, if there is one, for an attempt that starts as soon as its transaction is stored; the returned function gives it back. */
  reserve({ party }: Work): (() => void) | undefined {
    if (!this.#places.isOpenTo(party)) return undefined;
    this.#places.take(party);
    return () => this.#places.leave(party);
  }

  /** How many may be under way, and are. */
  get slots(): { readonly limit: number; readonly used: number } {
    return { limit: this.#options.maxInflight, used: this.#inflight };
  }

  /** What is in work and in no store: children of conversations. */
  get unstored(): readonly Work[] {
    return [...this.#byId.values()].filter((work) => !work.isDurable);
  }

  find(id: string): Work | undefined {
    return this.#byId.get(id);
  }

  /** A transaction as a client that waits for its outcome is about to see it. */
  show(work: Work): TransactionView {
    work.shownVersion = work.live.version;
    this.#reads.noted();
    return viewOfWork(work);
  }

  /** Starts the next attempt of a transaction and sees it through. */
  start(work: Work): void {
    must(!this.#byId.has(work.facts.id), 'a transaction is in work once');
    this.#byId.set(work.facts.id, work);
    this.#inflight += 1;
    this.#places.take(work.party);
    work.running = this.#run(work);
  }

  async #run(work: Work): Promise<void> {
    const { deps } = this.#options;
    const log = deps.log.child({ tx: work.facts.id });
    try {
      let end: WorkEnd;
      try {
        const attempt = new Attempt(work, log, deps.clock.now(), this.#attempts);
        end = attempt.endOf(await attempt.run());
      } catch (error) {
        end = this.#failed(work, log, error);
      }
      work.hasEnded = true;
      work.end = end;
      if (work.adopting !== SETTLED) await work.adopting;
      if (work.reporting !== SETTLED) await work.reporting;
      if (end.kind === 'shutdown') return;
      const decision = decide(work, end, deps);
      if (work.isDurable) await this.#concludeDurable(work, decision);
      else this.#concludeChild(work, decision);
    } catch (error) {
      log.error({ error }, 'an attempt ended in a bug; the lease will be taken over');
    } finally {
      this.#leave(work);
    }
  }

  /** A chain that cannot even be opened is a bug like any other, and must not leave anybody waiting. */
  #failed(work: Work, log: Log, error: unknown): WorkEnd {
    log.error({ error }, 'an attempt failed with a bug');
    if (!work.isDurable && !work.isAdopting) this.finishChild(work, { outcome: 'failed', text: 'internal error' });
    return bugIn(work);
  }

  #leave(work: Work): void {
    if (work.isDurable) this.#retire(work);
    this.#inflight -= 1;
    this.#places.leave(work.party);
    this.#options.onSlotFreed();
  }

  async #concludeDurable(work: Work, decision: RetryDecision): Promise<void> {
    const { journal } = this.#options;
    journal.attempt(work, decision);
    const recorded = await recordOutcome(work, decision, this.#options);
    // What becomes of it is another router's to say: who waits here looks again, and is sent there.
    if (recorded === 'notRecorded') return work.live.apply({ type: 'touch' });
    for (const { record } of recorded) journal.accepted(record);
    this.#tell(work, decision);
    if (recorded.length > 0) this.#options.onDue();
  }

  /** Tells who waits what was recorded. */
  #tell(work: Work, decision: RetryDecision): void {
    if (decision.kind === 'finish') work.live.apply({ type: 'finish', final: decision.final });
    else work.live.apply({ type: 'touch' });
  }

  /** An attempt that had ended before its transaction was adopted: what it led to is recorded with the adoption. */
  settle(work: Work, decision: RetryDecision): void {
    this.#options.journal.attempt(work, decision);
    this.#tell(work, decision);
    this.#retire(work);
  }

  /** A child that was not adopted: its history is written behind, unless its conversation may still have it adopted. */
  #concludeChild(work: Work, decision: RetryDecision): void {
    if (decision.kind !== 'finish' || decision.final.outcome === 'failed') return;
    this.finishChild(work, decision.final);
  }

  /** The conversation of a child is over and nothing was promised: what is left of it is a line of history. */
  finishChild(work: Work, final: NonNullable<TxState['final']>): void {
    if (work.isDurable || work.live.state.final !== undefined) return;
    const now = this.#options.deps.clock.now();
    this.#options.journal.attempt(work, { kind: 'finish', final });
    work.live.apply({ type: 'finish', final });
    const next = { kind: 'final', final } as const;
    work.inherit();
    const attempts = [work.attemptRecord(now)];
    this.#options.store.recordHistory({ record: work.record(), attempts, next }, now);
    this.#retire(work);
  }

  #retire(work: Work): void {
    work.release();
    work.live.dropBody();
    const isFinal = work.live.state.final !== undefined;
    // A deferred one is the store's again at once: another replica may claim it. A child has no client that asks for it by its id.
    if (isFinal && work.facts.parentId === undefined)
      this.#ended.push({ work, at: this.#options.deps.clock.monotonicMs() });
    else this.#byId.delete(work.facts.id);
  }

  /** Forgets what ended a while ago; gives up native transactions whose client fell silent before the message was complete. `now` is monotonic. */
  sweep(now: number): void {
    while (this.#ended.length > 0 && now - (this.#ended[0] as { at: number }).at >= this.#options.doneTtlMs) {
      const entry = this.#ended.shift();
      if (entry !== undefined) this.#byId.delete(entry.work.facts.id);
    }
    for (const work of this.#byId.values()) {
      const isWaiting = work.isDurable && !work.hasEnded && work.live.state.body === undefined;
      const { downstreamTimeoutMs } = work.facts.route.handler;
      if (isWaiting && now - work.lastHeardAt > downstreamTimeoutMs) work.stop.pull('downstreamTimeout');
    }
  }

  /** The leases of this router are gone: others do what it had in work. */
  disown(): void {
    for (const work of this.#byId.values()) if (work.isDurable && !work.hasEnded) work.stop.pull('shutdown');
  }

  /** Resolves when no attempt is under way and who waits for an outcome has read it; aborting `hurry` stops the rest. */
  async drain(hurry: AbortSignal): Promise<void> {
    const stopAll = (): void => {
      for (const work of this.#byId.values()) if (!work.hasEnded) work.stop.pull('shutdown');
    };
    if (hurry.aborted) stopAll();
    hurry.addEventListener('abort', stopAll, { once: true });
    while (this.#inflight > 0) await Promise.all([...this.#byId.values()].map((work) => work.running));
    hurry.removeEventListener('abort', stopAll);
    await this.#reads.wait(() => this.#byId.values(), this.#options.deps.clock, hurry);
  }
}
