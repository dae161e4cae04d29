/** Children of an exploder without a router behind them: each answers as the test says for its recipient, and adoption is remembered. */
import type { Child, ChildAsk, ChildOpener, CopyAsk, StoredCopy } from '../../src/lib/chain/child.ts';
import type { Body } from '../../src/lib/core/body.ts';
import type { Mailbox } from '../../src/lib/core/mailbox.ts';
import { internalErrorReply } from '../../src/lib/core/precondition.ts';
import { isOk, type Response } from '../../src/lib/core/response.ts';
import { type FakeAnswers, FakeExchange } from './fake-exchange.ts';

export interface FakeChildAnswers extends FakeAnswers {
  /** A permanent failure after adoption reaches the sender; true when absent. */
  readonly bounces?: boolean;
  /** There was no room for an attempt. */
  readonly isParked?: boolean;
}

export class FakeChild implements Child {
  readonly id: string;
  readonly exchange: FakeExchange;
  readonly isParked: boolean;
  readonly bounces: boolean;
  isAdopted = false;

  constructor(id: string, answers: FakeChildAnswers) {
    this.id = id;
    this.exchange = new FakeExchange(answers);
    this.isParked = answers.isParked ?? false;
    this.bounces = answers.bounces ?? true;
  }

  askEnvelope(from: Mailbox, to: Mailbox, tell: (answer: Response) => void): void {
    const answers = Promise.all([this.exchange.mail(from), this.exchange.rcpt(to)]);
    answers.then(([mail, rcpt]) => tell(isOk(mail) ? rcpt : mail), onBug(tell));
  }

  askData(body: Body, tell: (answer: Response) => void): void {
    this.exchange.data(body).then(tell, onBug(tell));
  }
}

/** What goes wrong in the chain of a child is a reply. */
function onBug(tell: (answer: Response) => void): () => void {
  return () => tell(internalErrorReply);
}

export class FakeChildren implements ChildOpener {
  readonly asks: ChildAsk[] = [];
  readonly opened: FakeChild[] = [];
  readonly adoptions: (readonly Child[])[] = [];
  /** What an adoption waits for before it is done. */
  commit: () => Promise<void> = () => Promise.resolve();
  readonly #answers: readonly (FakeChildAnswers | 'full')[];

  /** In the order of RCPT; `full`: there are too many at work already. */
  constructor(...answers: readonly (FakeChildAnswers | 'full')[]) {
    this.#answers = answers;
  }

  open(ask: ChildAsk): FakeChild | undefined {
    const answers = this.#answers[this.asks.length] ?? {};
    this.asks.push(ask);
    if (answers === 'full') return undefined;
    const child = new FakeChild(`child-${this.asks.length}`, answers);
    this.opened.push(child);
    return child;
  }

  async adopt(children: readonly Child[], _body: Body): Promise<void> {
    await this.commit();
    this.adoptions.push(children);
    for (const child of this.opened) child.isAdopted ||= children.includes(child);
  }

  /** Copies that were stored, and what became of each. */
  readonly copies: (CopyAsk & { body: Body; fate: 'held' | 'delivered' | 'dropped' })[] = [];

  async store(ask: CopyAsk, body: Body): Promise<StoredCopy> {
    await this.commit();
    const copy = { ...ask, body, fate: 'held' as 'held' | 'delivered' | 'dropped' };
    this.copies.push(copy);
    const end = (fate: 'delivered' | 'dropped') => (): Promise<void> => {
      copy.fate = fate;
      return Promise.resolve();
    };
    return { deliver: end('delivered'), drop: end('dropped') };
  }

  /** Ids of the children somebody is responsible for. */
  get adopted(): readonly string[] {
    return this.opened.filter(({ isAdopted }) => isAdopted).map(({ id }) => id);
  }
}
