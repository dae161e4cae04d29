/**
 * A chain is the fold of its filters over its output. Each filter keeps the order of phases: what comes later enters a filter only after the
 * earlier step has been passed on or answered, so that a slow lookup at MAIL cannot be overtaken by RCPT. Where nothing waits, a step goes
 * through at once, by a call, past the filters that have no part in its phase.
 */
import type { Body } from '../core/body.ts';
import { must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { cancelledReply, mailFailed } from '../core/precondition.ts';
import { isOk, type Response } from '../core/response.ts';
import type { ChainTx } from './chain-tx.ts';
import type { Filter, Next, Phase, TxContext } from './filter.ts';

/** The chain of one transaction, which takes note of what is asked of it and answered; closing it ends every wait of its filters. */
export function fold(filters: readonly Filter[], tx: ChainTx, output: Exchange): Exchange {
  return new Fold(filters, tx, output);
}

/** What a phase is about. */
interface Values {
  readonly mail: Mailbox;
  readonly rcpt: Mailbox;
  readonly data: Body;
}

/** A filter's part in one phase. */
type Hook<P extends Phase> = (tx: TxContext, value: Values[P], next: Next<Values[P]>) => Promise<Response>;

/** A step that a filter has neither passed on nor answered yet, known by the `next` that the filter was given for it. */
type Step = Next<never>;

class Fold implements Exchange {
  readonly #filters: readonly Filter[];
  readonly #tx: ChainTx;
  readonly #output: Exchange;
  /** By the number of the filter that has it. */
  readonly #steps: (Step | undefined)[];
  /** What came to such a filter meanwhile, in order. */
  #waiting: Map<number, (() => void)[]> | undefined;
  /** How far MAIL has come: filters that have passed it on. */
  #mailPassedBy = 0;
  /** The newest answer to MAIL, and who gave one of his own instead of that of the rest of the chain. */
  #mailAnswer: Promise<Response> | undefined;
  #mailAnsweredBy: Set<number> | undefined;
  /** Refused MAILs by who refused: one of those filters, or the output. */
  #mailRefusals: Map<number, Response> | undefined;
  #isClosed = false;

  constructor(filters: readonly Filter[], tx: ChainTx, output: Exchange) {
    this.#filters = filters;
    this.#tx = tx;
    this.#output = output;
    this.#steps = new Array<Step | undefined>(filters.length);
  }

  mail(from: Mailbox): Promise<Response> {
    this.#tx.askedMail(from);
    return this.#enter('mail', from, 0);
  }

  rcpt(to: Mailbox): Promise<Response> {
    const index = this.#tx.askedRcpt(to);
    const answer = this.#enter('rcpt', to, 0);
    this.#tx.answeredRcpt(index, answer);
    return answer;
  }

  data(body: Body): Promise<Response> {
    return this.#enter('data', body, 0);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#tx.close();
    return this.#output.close();
  }

  /** Takes a step to filter number `at`, or past it. Whoever throws where it should have rejected is a bug like any other. */
  #enter<P extends Phase>(phase: P, value: Values[P], at: number): Promise<Response> {
    try {
      return this.#go(phase, value, at);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** Once closed, nothing is passed on any more. */
  #go<P extends Phase>(phase: P, value: Values[P], at: number): Promise<Response> {
    for (let i = at; i < this.#filters.length; i += 1) {
      if (this.#steps[i] !== undefined) return this.#enterLater(phase, value, i);
      if (this.#isClosed) return Promise.resolve(cancelledReply);
      const refusal = this.#mailRefusalAt(i);
      if (refusal !== undefined) return Promise.resolve(mailFailed(refusal));
      const filter = this.#filters[i] as Filter;
      const hook = hookOf(filter, phase);
      if (hook !== undefined) return this.#ask(phase, filter, hook, value, i);
      this.#passedBy(phase, i);
    }
    return this.#askOutput(phase, value);
  }

  #enterLater<P extends Phase>(phase: P, value: Values[P], at: number): Promise<Response> {
    this.#waiting ??= new Map();
    const waiting = this.#waiting.get(at) ?? [];
    this.#waiting.set(at, waiting);
    return new Promise((resolve) => waiting.push(() => resolve(this.#enter(phase, value, at))));
  }

  /** Asks a filter; whatever comes meanwhile waits until it has passed the step on, or answered it. */
  #ask<P extends Phase>(phase: P, filter: Filter, hook: Hook<P>, value: Values[P], at: number): Promise<Response> {
    const next = (passed: Values[P]): Promise<Response> => this.#pass(phase, passed, next, at);
    this.#steps[at] = next;
    let answer: Promise<Response>;
    try {
      answer = hook.call(filter, this.#tx, value, next);
    } catch (error) {
      answer = Promise.reject(error as Error);
    }
    // Noted before the next step has its turn: a RCPT that waits already must not get past a refused MAIL.
    if (phase === 'mail') this.#noteMailAnswer(answer, at);
    if (this.#steps[at] === next) this.#endWith(answer, next, at);
    return answer;
  }

  /** What a filter passes on. */
  #pass<P extends Phase>(phase: P, passed: Values[P], step: Step, at: number): Promise<Response> {
    if (this.#isClosed) return Promise.resolve(cancelledReply);
    this.#passedBy(phase, at);
    const answer = this.#enter(phase, passed, at + 1);
    this.#end(step, at);
    return answer;
  }

  #endWith(answer: Promise<Response>, step: Step, at: number): void {
    const end = (): void => this.#end(step, at);
    answer.then(end, end);
  }

  /** The filter has done its part in a step. */
  #end(step: Step, at: number): void {
    if (this.#steps[at] !== step) return;
    this.#steps[at] = undefined;
    const waiting = this.#waiting?.get(at);
    if (waiting === undefined) return;
    this.#waiting?.delete(at);
    for (const enter of waiting) enter();
  }

  #askOutput<P extends Phase>(phase: P, value: Values[P]): Promise<Response> {
    if (phase === 'data') return this.#output.data(this.#tx.guarded(value as Body));
    if (phase === 'rcpt') return this.#output.rcpt(value as Mailbox);
    const answer = this.#output.mail(value as Mailbox);
    this.#noteMailAnswer(answer, this.#filters.length);
    return answer;
  }

  #passedBy(phase: Phase, at: number): void {
    if (phase === 'mail') this.#mailPassedBy = at + 1;
    else must(this.#mailPassedBy > at, 'a filter that keeps MAIL to itself must answer what follows by itself');
  }

  /** A filter that only passes MAIL on gives the answer it was given. A rejection is the business of whoever asked. */
  #noteMailAnswer(answer: Promise<Response>, by: number): void {
    if (answer === this.#mailAnswer) return;
    this.#mailAnswer = answer;
    if (by < this.#filters.length) {
      this.#mailAnsweredBy ??= new Set();
      this.#mailAnsweredBy.add(by);
    }
    answer.then((response) => {
      if (isOk(response)) return;
      this.#mailRefusals ??= new Map();
      this.#mailRefusals.set(by, response);
    }, ignore);
  }

  /** What filter number `at` has heard in answer to MAIL, when it was a refusal: the word of the first from there on that has one. */
  #mailRefusalAt(at: number): Response | undefined {
    if (this.#mailRefusals === undefined) return undefined;
    let by = at;
    while (by < this.#filters.length && this.#mailAnsweredBy?.has(by) !== true) by += 1;
    return this.#mailRefusals.get(by);
  }
}

/** By name: filters have many shapes, of which an engine finds a name that is written down much sooner than one it is given. */
function hookOf<P extends Phase>(filter: Filter, phase: P): Hook<P> | undefined {
  const hook = phase === 'mail' ? filter.mail : phase === 'rcpt' ? filter.rcpt : filter.data;
  return hook as Hook<P> | undefined;
}

function ignore(): void {}
