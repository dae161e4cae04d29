/**
 * The delivery journal: which messages were sent whole and have no answer yet. While that is so a crash leaves nobody who knows whether the far
 * end has taken the message, and a later life of the router has to be told.
 *
 * Where the policy is `retry` a mark promises nothing, so it is written only when the far end takes its time, with whatever is committed next.
 * Where it is `hold` or `ask` the end of the message does not leave before its mark is committed. A message that nobody was answered for needs
 * none: when it is adopted later, the mark is part of the commit that adopts it.
 */
import type { Deps } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import { TransientMap } from '../core/transient-map.ts';
import type { DotMark, Store } from '../store/store.ts';
import type { Work } from './work.ts';

export interface DotJournalOptions {
  readonly deps: Pick<Deps, 'clock'>;
  readonly store: Pick<Store, 'markDotSent' | 'noteDotSent'>;
}

interface Sent {
  readonly work: Work;
  /** Monotonic. */
  readonly since: number;
}

export class DotJournal {
  readonly #options: DotJournalOptions;
  /** Sent whole, not answered, not marked, in the order in which they were sent. */
  readonly #unmarked = new TransientMap<number, Sent>();
  #lastNumber = 0;
  #isWatching = false;

  constructor(options: DotJournalOptions) {
    this.#options = options;
  }

  /**
   * The end of the message is about to go out. Answers `false` when it must not, because it is another router's to send; rejects when the
   * mark cannot be written.
   */
  sending(work: Work): boolean | Promise<boolean> {
    // Before anything is waited for: an adoption that begins now writes it along.
    const { clock } = this.#options.deps;
    work.dotSentAt ??= clock.now();
    if (work.whenUncertain === 'retry') {
      if (!work.isDotMarked) this.#wait(work, clock.monotonicMs());
      this.#watch();
      return true;
    }
    return this.#mark(work, work.dotSentAt);
  }

  async #mark(work: Work, at: number): Promise<boolean> {
    await work.adopting;
    if (!work.isDurable || work.isDotMarked) return true;
    work.isDotMarked = await this.#options.store.markDotSent(markOf(work, at));
    return work.isDotMarked;
  }

  /** There is an answer, or nobody waits for one any more. */
  answered(work: Work): void {
    if (work.dotNumber !== undefined) this.#unmarked.delete(work.dotNumber);
  }

  #wait(work: Work, since: number): void {
    this.answered(work);
    this.#lastNumber += 1;
    work.dotNumber = this.#lastNumber;
    this.#unmarked.set(work.dotNumber, { work, since });
  }

  /** One timer, however many messages are on their way. */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#options.deps.clock.after(limits.dotNoteMs, () => {
      this.#isWatching = false;
      this.#note();
      if (this.#unmarked.size > 0) this.#watch();
    });
  }

  #note(): void {
    const { deps, store } = this.#options;
    const before = deps.clock.monotonicMs() - limits.dotNoteMs;
    for (const { work, since } of this.#unmarked.values()) {
      if (since > before) return;
      this.answered(work);
      if (work.dotSentAt === undefined || !work.isDurable) continue;
      work.isDotMarked = true;
      store.noteDotSent(markOf(work, work.dotSentAt));
    }
  }
}

function markOf(work: Work, at: number): DotMark {
  const { replies } = work.live.state;
  return { id: work.facts.id, attempt: work.attemptNumber, at, hosts: work.hosts, replies };
}
