/**
 * The queue as an operator sees it: what is stored, and what this router has in work that is not stored (yet). Read-only but for one verb.
 */
import type { Deps } from '../core/deps.ts';
import { type Caller, sees } from '../http/caller.ts';
import type {
  ListAnswer,
  ListQuery,
  QueueService,
  TransactionHistory,
  TransactionSummary,
} from '../http/queue-service.ts';
import { RequestProblem } from '../http/service.ts';
import type { ListFilter } from '../store/list.ts';
import type { Store, StoredTransaction } from '../store/store.ts';
import { historyOfStored, historyOfWork } from './history.ts';
import { nextReason } from './next-reason.ts';
import type { RouteTable } from './route-table.ts';
import { isBefore, matchesQuery, newestFirst, summaryOfStored, summaryOfWork } from './summary.ts';
import type { Workshop } from './workshop.ts';

export interface QueueOptions {
  readonly deps: Deps;
  readonly store: Store;
  readonly workshop: Workshop;
  readonly routes: RouteTable;
  /** Hears that something fell due. */
  readonly onDue: () => void;
}

/** Children of one transaction that its history shows. */
const CHILDREN_MAX = 200;

export class Queue implements QueueService {
  readonly #options: QueueOptions;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  async list(query: ListQuery, caller: Caller): Promise<ListAnswer> {
    const { after, limit, ...conditions } = query;
    const senders = caller.isOperator || caller.senders === 'any' ? undefined : [...caller.senders];
    const filter: ListFilter = { ...conditions, ...(senders && { senders }) };
    // Before the store is asked: what ends meanwhile is then listed twice rather than not at all.
    const unstored = this.#unstored(query, caller);
    const page = await this.#options.store.list({ filter, limit, ...(after && { before: after }) });
    const stored = page.transactions.map(summaryOfStored);
    const ids = new Set(stored.map(({ id }) => id));
    // Those that belong behind the end of this page are the next one's.
    const here = unstored.filter((tx) => !ids.has(tx.id) && (page.next === undefined || !isBefore(tx, page.next)));
    const merged = [...stored, ...here].sort(newestFirst);
    if (merged.length <= limit) return { transactions: merged, ...(page.next && { next: page.next }) };
    const transactions = merged.slice(0, limit);
    const last = transactions.at(-1) as TransactionSummary;
    return { transactions, next: { createdAt: last.createdAt, id: last.id } };
  }

  /** Children that are in work for a conversation which may still have them adopted. */
  #unstored(query: ListQuery, caller: Caller): readonly TransactionSummary[] {
    return this.#options.workshop.unstored
      .map(summaryOfWork)
      .filter((tx) => sees(caller, tx.sender) && matchesQuery(tx, query));
  }

  async history(id: string, caller: Caller): Promise<TransactionHistory> {
    const { store, workshop } = this.#options;
    const work = workshop.find(id);
    const stored = await store.load(id);
    const sender = stored?.record.sender ?? work?.facts.route.sender.name;
    if (sender === undefined || !sees(caller, sender)) throw unknown();
    const children = await this.#children(id);
    if (stored === undefined) return historyOfWork(work ?? gone(), children);
    const inWork = work !== undefined && !work.hasEnded ? work : undefined;
    return historyOfStored(stored, inWork, children, this.#nextReason(stored));
  }

  async #children(id: string): Promise<readonly TransactionSummary[]> {
    const { transactions } = await this.#options.store.list({ filter: { parent: id }, limit: CHILDREN_MAX });
    return transactions.map(summaryOfStored);
  }

  #nextReason(stored: StoredTransaction): string | undefined {
    const { routes, deps } = this.#options;
    const lookup = routes.find(stored.record.sender, stored.record.tag);
    return nextReason(stored, lookup.kind === 'found' ? lookup.route : undefined, deps.clock.now());
  }

  async retry(id: string, caller: Caller): Promise<void> {
    const { store, deps, onDue } = this.#options;
    const stored = await store.load(id);
    if (stored === undefined || !sees(caller, stored.record.sender)) throw unknown();
    const result = await store.makeDue(id, deps.clock.now());
    switch (result) {
      case 'due':
        deps.log.info({ tx: id, caller: caller.name }, 'made due now');
        return onDue();
      case 'unknown':
        throw unknown();
      case 'final':
        throw new RequestProblem(409, 'the transaction has ended');
      case 'inWork':
        throw new RequestProblem(409, 'the transaction is in work right now');
      case 'input':
        throw new RequestProblem(409, 'the message is not uploaded yet');
    }
  }
}

function unknown(): RequestProblem {
  return new RequestProblem(404, 'unknown tx');
}

function gone(): never {
  throw unknown();
}
