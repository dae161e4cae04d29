/** Who waits for which reply of a REST peer: each wait ends with the reply, with the deadline, or with what made the exchange fail. */
import type { Response } from '../core/response.ts';
import type { Deadline } from './deadline.ts';
import { NO_VIEW, type PeerView } from './peer-view.ts';

/** Finds a reply in what the peer shows; `undefined` while it is not there. */
export type PickReply = (view: PeerView) => Response | undefined;

interface Waiter {
  readonly pick: PickReply;
  readonly deadline: Deadline;
  readonly settle: (response: Response) => void;
}

export class ReplyWatch {
  readonly #waiters = new Set<Waiter>();
  #view: PeerView = NO_VIEW;
  #failure: Response | undefined;

  /** What the exchange failed with; every wait is answered with it. */
  get failure(): Response | undefined {
    return this.#failure;
  }

  get isWaitedFor(): boolean {
    return this.#waiters.size > 0;
  }

  /** The time until nobody waits any more. */
  leftMs(): number {
    return Math.max(0, ...Array.from(this.#waiters, ({ deadline }) => deadline.leftMs()));
  }

  /** Waits for a reply; when the deadline ends first, answers what `onAbort` says. Clears the deadline. */
  wait(pick: PickReply, deadline: Deadline, onAbort: () => Response): Promise<Response> {
    const early = pick(this.#view) ?? this.#failure;
    if (early !== undefined || deadline.isEnded) {
      deadline.clear();
      return Promise.resolve(early ?? onAbort());
    }
    return new Promise((resolve) => {
      const waiter: Waiter = {
        pick,
        deadline,
        settle: (response) => {
          this.#waiters.delete(waiter);
          forget();
          deadline.clear();
          resolve(response);
        },
      };
      this.#waiters.add(waiter);
      const forget = deadline.onEnd(() => waiter.settle(onAbort()));
    });
  }

  /** Hears of a new state of the peer. */
  show(view: PeerView): void {
    this.#view = view;
    for (const waiter of [...this.#waiters]) {
      const response = waiter.pick(view);
      if (response !== undefined) waiter.settle(response);
    }
  }

  /** Ends all waits, now and later; the first failure counts. */
  fail(response: Response): void {
    this.#failure ??= response;
    for (const waiter of [...this.#waiters]) waiter.settle(this.#failure);
  }
}
