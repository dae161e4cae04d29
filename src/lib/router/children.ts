/**
 * The children of exploders at this router: in memory and driven by an attempt of their own until they are adopted. Adoption is the moment
 * responsibility is taken, so it is one commit for all recipients of a message, and it comes before the answer.
 */
import type { Child, ChildAsk, ChildOpener, CopyAsk, StoredCopy } from '../chain/child.ts';
import { askData, askEnvelope, exchangeOf } from '../chain/live-exchange.ts';
import type { Admission } from '../core/admission.ts';
import type { Body } from '../core/body.ts';
import { CONVERSATION } from '../core/conversation-signals.ts';
import type { Deps } from '../core/deps.ts';
import { originOf } from '../core/envelope.ts';
import { must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import { inTime } from '../core/in-time.ts';
import { limits } from '../core/limits.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { peerKey } from '../core/peer-key.ts';
import { isOk, type Response } from '../core/response.ts';
import type { RetryDecision } from '../core/retry.ts';
import { decisive, type FilterOutput } from '../core/transaction.ts';
import type { NewTransaction, Store } from '../store/store.ts';
import { bodyBlob, isMade, planAdoption, transactionsOf } from './adoption.ts';
import type { Journal } from './journal.ts';
import { isFailureHeard, type NotifySettings } from './notify.ts';
import { partyOf } from './places.ts';
import type { RouteTable } from './route-table.ts';
import { newTransactionId } from './transaction-id.ts';
import type { Unpromised } from './unpromised.ts';
import { Work } from './work.ts';
import type { Workshop } from './workshop.ts';

export interface ChildrenOptions {
  readonly deps: Deps;
  readonly store: Store;
  readonly journal: Journal;
  readonly notify: NotifySettings;
  readonly routes: () => RouteTable;
  readonly workshop: () => Workshop;
  readonly onDue: () => void;
  readonly admission: Admission;
  readonly unpromised: Pick<Unpromised, 'notCreated'>;
}

export class Children implements ChildOpener {
  readonly #options: ChildrenOptions;

  constructor(options: ChildrenOptions) {
    this.#options = options;
  }

  open(ask: ChildAsk): Child | undefined {
    const { deps, notify } = this.#options;
    const workshop = this.#options.workshop();
    const { sender, tag, parentId, signals, mayPark, onBehalfOf, domain } = ask;
    const party = partyOf(onBehalfOf, domain, peerKey(ask.remoteHost?.host ?? ''));
    const isParked = !workshop.hasRoom(party);
    if (isParked && !mayPark) {
      this.#options.admission.refused('rcpt', workshop.whyFull(party));
      return undefined;
    }
    const route = this.#options.routes().get(sender, tag);
    const id = newTransactionId(deps, notify.restIdEntropy);
    const now = deps.clock.now();
    const inherited = (): FilterOutput => signals.records();
    const facts = { id, route, origin: originOf(ask), createdAt: now, parentId, party, inherited };
    const work = new Work(facts, {
      state: {},
      version: 0,
      pastAttempts: [],
      isDurable: false,
      now: deps.clock.monotonicMs(),
    });
    work.isParked = isParked;
    if (!isParked) workshop.start(work);
    return new WorkChild(work, notify, () => this.#abandon(work));
  }

  async adopt(children: readonly Child[], body: Body): Promise<void> {
    const works = children.map((child) => {
      must(child instanceof WorkChild, 'only children opened here can be adopted');
      return child.work;
    });
    // Its client may leave, and let go of it, while an attempt that is about to end is waited for. One that has let go already is a bug that ends here.
    const release = body.retain();
    for (const work of works) work.isAdopting = true;
    try {
      if (works.some(isEnding)) await Promise.all(works.filter(isEnding).map((work) => this.#untilEnded(work)));
      // Answered after all, in the last moment: there is nothing to be responsible for any more.
      const open = works.filter(({ live }) => live.state.final?.outcome !== 'delivered');
      if (open.length === 0) return;
      const commit = this.#commit(open, body);
      // A failure is the business of whoever asked.
      const settled = commit.catch(() => undefined);
      for (const work of open) work.adopting = settled;
      await commit;
    } finally {
      release();
      for (const work of works) {
        work.isAdopting = false;
        if (work.isAbandoned) this.#abandon(work);
      }
    }
  }

  /** An attempt that a reply has decided is over in a moment: adopted after that, what it led to needs no commit of its own. */
  #untilEnded(work: Work): Promise<void> {
    return inTime(work.running, limits.attemptEndMs, this.#options.deps.clock, undefined);
  }

  async #commit(works: readonly Work[], body: Body): Promise<void> {
    const { deps, journal } = this.#options;
    const plans = works.map((work) => planAdoption(work, body, this.#options));
    const adoptions = plans.every(isMade) ? plans : await Promise.all(plans);
    await this.#create(transactionsOf(adoptions), deps.clock.now());
    for (const { adopted, reports } of adoptions) {
      journal.accepted(adopted.record, body.size);
      for (const { record } of reports) journal.accepted(record);
    }
    for (const { work, decision } of adoptions) this.#adopted(work, decision, body);
    if (adoptions.some(({ reports }) => reports.length > 0)) this.#options.onDue();
  }

  async #create(transactions: readonly NewTransaction[], now: number): Promise<void> {
    const { store, unpromised } = this.#options;
    try {
      await store.create(transactions, now);
    } catch (error) {
      unpromised.notCreated(transactions, error);
      throw error;
    }
  }

  async store(ask: CopyAsk, body: Body): Promise<StoredCopy> {
    const { store, deps, notify, routes, onDue, journal } = this.#options;
    const { sender, tag, parentId, signals, mailFrom, rcptTo } = ask;
    const origin = originOf(ask);
    const { retry, notification } = routes().get(sender, tag).sender;
    const now = deps.clock.now();
    const found = signals.records();
    const filterOutput = Object.keys(found).length === 0 ? {} : { [CONVERSATION]: found };
    const copies = rcptTo.map((rcpt): NewTransaction => {
      const id = newTransactionId(deps, notify.restIdEntropy);
      const named = { id, sender, ...(tag !== undefined && { tag }), parentId };
      const facts = { origin, mailFrom, rcptTo: [rcpt], retry, notification, createdAt: now, filterOutput };
      // Due by itself one day, so that nothing is lost when nobody is left to say that it is wanted.
      const next = { kind: 'due', at: now + limits.copyHoldMs } as const;
      return { record: { ...named, ...facts }, blobs: [bodyBlob(body)], attempts: [], next };
    });
    await this.#create(copies, now);
    for (const { record } of copies) journal.accepted(record, body.size);
    const each = async (step: (id: string) => Promise<unknown>): Promise<void> => {
      await Promise.all(copies.map(({ record }) => step(record.id)));
    };
    return {
      deliver: () => each((id) => store.makeDue(id, deps.clock.now())).then(onDue),
      drop: () => each((id) => store.cancel(id, deps.clock.now())),
    };
  }

  #adopted(work: Work, decision: RetryDecision | undefined, body: Body): void {
    work.isDurable = true;
    if (work.isParked) {
      work.release();
      this.#options.onDue();
      return;
    }
    if (decision !== undefined) {
      this.#options.workshop().settle(work, decision);
    } else if (work.live.state.body === undefined) {
      work.live.apply({ type: 'body', body });
    }
  }

  /** The conversation is over. What was adopted goes on; anything else is cancelled, upstream too. */
  #abandon(work: Work): void {
    work.isAbandoned = true;
    if (work.isDurable || work.isAdopting) return;
    if (work.isParked) {
      work.release();
      return;
    }
    if (work.hasEnded) {
      this.#finish(work);
      return;
    }
    const reply = decisive(work.live.state);
    work.live.apply({ type: 'cancel' });
    // A refusal is about to end it all the same, and leaves the rest to the conversation.
    if (reply !== undefined && !isOk(reply)) void work.running.then(() => this.#finish(work));
  }

  /** Nothing for one that is stored, or was finished by its attempt. */
  #finish(work: Work): void {
    this.#options.workshop().finishChild(work, { outcome: 'failed', text: 'no retry' });
  }
}

/** A reply has decided its attempt, which is over in a moment. */
function isEnding(work: Work): boolean {
  return !work.isParked && !work.hasEnded && decisive(work.live.state) !== undefined;
}

/** A child as its exploder holds it. */
class WorkChild implements Child {
  readonly id: string;
  readonly isParked: boolean;
  readonly exchange: Exchange;
  readonly work: Work;
  readonly #notify: NotifySettings;

  constructor(work: Work, notify: NotifySettings, onClose: () => void) {
    this.id = work.facts.id;
    this.isParked = work.isParked;
    this.exchange = exchangeOf(work.live, onClose);
    this.work = work;
    this.#notify = notify;
  }

  askEnvelope(from: Mailbox, to: Mailbox, tell: (answer: Response) => void): void {
    askEnvelope(this.work.live, from, to, tell);
  }

  askData(body: Body, tell: (answer: Response) => void): void {
    askData(this.work.live, body, tell);
  }

  get bounces(): boolean {
    return isFailureHeard(this.work, this.#notify);
  }
}
