/**
 * Follows what a REST peer shows of a transaction: while somebody waits for a reply, one hanging GET after the other, never beside a request
 * that changes something.
 */
import type { Deps } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import { cancelledReply } from '../core/precondition.ts';
import { type Response, reply } from '../core/response.ts';
import type { Deadline, Deadlines } from './deadline.ts';
import type { PeerView } from './peer-view.ts';
import type { RemoteTransaction } from './remote-transaction.ts';
import { type PickReply, ReplyWatch } from './reply-watch.ts';
import { timeoutReply, troubleReply } from './upstream-trouble.ts';

export interface ReplyFollowerOptions {
  readonly deps: Pick<Deps, 'clock' | 'log'>;
  readonly deadlines: Deadlines;
  /** The end of the line of requests that change something; never rejects. */
  readonly writes: () => Promise<void>;
  /** Hears that the peer cannot be followed any more. */
  readonly onTrouble: (response: Response) => void;
}

const endedReply: Response = reply(450, '4.4.2', 'upstream ended the transaction');

export class ReplyFollower {
  readonly #options: ReplyFollowerOptions;
  readonly #watch = new ReplyWatch();
  #remote: RemoteTransaction | undefined;
  #isPolling = false;
  /** How many transactions were created at the peer: one, or two when the first could not take its message. */
  #creates = 0;

  constructor(options: ReplyFollowerOptions) {
    this.#options = options;
  }

  /** What the exchange failed with; every wait is answered with it. */
  get failure(): Response | undefined {
    return this.#watch.failure;
  }

  fail(response: Response): void {
    this.#watch.fail(response);
  }

  /** For a transaction that is being created: hears of its views, of the newest only, since an answer about an abandoned one may come late. */
  listener(): (view: PeerView) => void {
    this.#creates += 1;
    const create = this.#creates;
    return (view) => {
      if (create === this.#creates) this.#watch.show(view);
    };
  }

  /** The transaction is there. */
  follow(remote: RemoteTransaction): void {
    this.#remote = remote;
    this.#pollIfWanted();
  }

  /** Waits for a reply, and clears the deadline. */
  wait(pick: PickReply, deadline: Deadline): Promise<Response> {
    const answer = this.#watch.wait(
      (view) => pick(view) ?? (view.isEnded ? endedReply : undefined),
      deadline,
      () => (deadline.isOver() ? timeoutReply : cancelledReply),
    );
    this.#pollIfWanted();
    return answer;
  }

  #pollIfWanted(): void {
    if (this.#isPolling || this.#remote === undefined) return;
    this.#isPolling = true;
    void this.#poll();
  }

  async #poll(): Promise<void> {
    const { deadlines, writes } = this.#options;
    for (;;) {
      for (let seen: unknown; seen !== writes(); ) {
        seen = writes();
        await seen;
      }
      if (!this.#watch.isWaitedFor || deadlines.isStopped) {
        // In the same turn as the look at who waits: the next wait must start a new loop.
        this.#isPolling = false;
        return;
      }
      // Not shorter than a pause: a wait that is about to end must not make us spin.
      const deadline = deadlines.start(Math.max(limits.pollPauseMs, this.#watch.leftMs()));
      await this.#pollOnce(deadline);
      deadline.clear();
    }
  }

  async #pollOnce(deadline: Deadline): Promise<void> {
    const { deps, onTrouble } = this.#options;
    const create = this.#creates;
    try {
      await this.#remote?.poll(deadline);
    } catch (error) {
      // When the deadline passed, each wait ended with its own.
      if (!deadline.isEnded && create === this.#creates) onTrouble(troubleReply(error, deadline, deps.log));
    }
  }
}
