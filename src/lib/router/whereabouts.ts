/**
 * Where a transaction is that is not here: a client may ask any replica, because it knows only the address of all of them, and is sent to the
 * one that has it. A stored transaction names its owner in the store. A conversation is in the memory of one router, so its id names the
 * session of that one.
 */
import { RedirectProblem, RequestProblem } from '../http/service.ts';
import type { Store, StoredTransaction } from '../store/store.ts';
import type { Session } from './session.ts';
import { sessionOf } from './transaction-id.ts';

export interface WhereaboutsOptions {
  readonly store: Pick<Store, 'sessionId'>;
  readonly session: Pick<Session, 'isSuspect' | 'addressOf'>;
}

type Elsewhere = RedirectProblem | RequestProblem;

export class Whereabouts {
  readonly #options: WhereaboutsOptions;

  constructor(options: WhereaboutsOptions) {
    this.#options = options;
  }

  /** What to answer for a transaction that another router has in work; `undefined` when it is nobody's, or this router's. */
  ofStored({ lease }: StoredTransaction): Elsewhere | undefined {
    if (lease === undefined || lease.sessionId === this.#options.store.sessionId) return undefined;
    return this.#at(lease.sessionId, lease.uri);
  }

  /** What to answer for a conversation that another router has; `undefined` when the id is not one of a conversation elsewhere. */
  async ofConversation(id: string): Promise<Elsewhere | undefined> {
    const sessionId = sessionOf(id);
    const uri = sessionId === undefined ? undefined : await this.#options.session.addressOf(sessionId);
    return sessionId === undefined || uri === undefined ? undefined : this.#at(sessionId, uri);
  }

  /** Nobody is sent to a router that gives no sign of life: the address may lead nowhere, and soon its work is another's. */
  #at(sessionId: string, uri: string): Elsewhere {
    if (!this.#options.session.isSuspect(sessionId)) return new RedirectProblem(uri);
    return new RequestProblem(503, 'in work at a replica that does not answer, try again', {
      headers: { 'retry-after': '1' },
    });
  }
}
