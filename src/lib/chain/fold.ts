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
import type { Filter, Next, Phase, TxContext } from './filter.ts';

export function fold(filters: readonly Filter[], tx: TxContext, output: Exchange): Exchange {
  return filters.length === 0 ? output : new Fold(filters, tx, output);
}

/** What a phase is about. */
interface Values {
  readonly mail: Mailbox;
  readonly rcpt: Mailbox;
  readonly data: Body;
}

/** A filter's part in one phase. */
type Hook<P extends Phase> = (tx: TxContext, value: Values[P], next: Next<Values[P]>) => Promise<Response>;

class Fold implements Exchange {
  readonly #filters: readonly Filter[];
  readonly #tx: TxContext;
  readonly #output: Exchange;
  /** Filters that have a step they have neither passed on nor answered, and the steps that came meanwhile, in order. */
  readonly #busy = new Map<number, (() => void)[]>();
  /** How far MAIL has come: filters that have passed it on. */
  #mailPassedBy = 0;
  /** Refused MAILs by who refused: a filter that has a part in it, or the output. */
  #mailRefusals: Map<number, Response> | undefined;
  #isClosed = false;

  constructor(filters: readonly Filter[], tx: TxContext, output: Exchange) {
    this.#filters = filters;
    this.#tx = tx;
    this.#output = output;
  }

  mail(from: Mailbox): Promise<Response> {
    return this.#enter('mail', from, 0);
  }

  rcpt(to: Mailbox): Promise<Response> {
    return this.#enter('rcpt', to, 0);
  }

  data(body: Body): Promise<Response> {
    return this.#enter('data', body, 0);
  }

  close(): Promise<void> {
    this.#isClosed = true;
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
      const waiting = this.#busy.get(i);
      if (waiting !== undefined) {
        const here = i;
        return new Promise((resolve) => waiting.push(() => resolve(this.#enter(phase, value, here))));
      }
      if (this.#isClosed) return Promise.resolve(cancelledReply);
      const refusal = this.#mailRefusalAt(i);
      if (refusal !== undefined) return Promise.resolve(mailFailed(refusal));
      const filter = this.#filters[i];
      const hook = filter?.[phase] as Hook<P> | undefined;
      if (filter !== undefined && hook !== undefined) return this.#ask(phase, filter, hook, value, i);
      this.#passedBy(phase, i);
    }
    return this.#askOutput(phase, value);
  }

  /** Asks a filter; whatever comes meanwhile waits until it has passed the step on, or answered it. */
  #ask<P extends Phase>(phase: P, filter: Filter, hook: Hook<P>, value: Values[P], at: number): Promise<Response> {
    const waiting: (() => void)[] = [];
    this.#busy.set(at, waiting);
    let isPassed = false;
    const pass = (): void => {
      if (isPassed) return;
      isPassed = true;
      this.#busy.delete(at);
      for (const enter of waiting) enter();
    };
    const next = (passed: Values[P]): Promise<Response> => {
      if (this.#isClosed) return Promise.resolve(cancelledReply);
      this.#passedBy(phase, at);
      const answer = this.#enter(phase, passed, at + 1);
      pass();
      return answer;
    };
    let answer: Promise<Response>;
    try {
      answer = hook.call(filter, this.#tx, value, next);
    } catch (error) {
      answer = Promise.reject(error as Error);
    }
    // Noted before the next step has its turn: a RCPT that waits already must not get past a refused MAIL.
    if (phase === 'mail') this.#noteRefusal(answer, at);
    if (!isPassed) answer.then(pass, pass);
    return answer;
  }

  #askOutput<P extends Phase>(phase: P, value: Values[P]): Promise<Response> {
    const ask = this.#output[phase] as (value: Values[P]) => Promise<Response>;
    const answer = ask.call(this.#output, value);
    if (phase === 'mail') this.#noteRefusal(answer, this.#filters.length);
    return answer;
  }

  #passedBy(phase: Phase, at: number): void {
    if (phase === 'mail') this.#mailPassedBy = at + 1;
    else must(this.#mailPassedBy > at, 'a filter that keeps MAIL to itself must answer what follows by itself');
  }

  /** A rejection is the business of whoever asked. */
  #noteRefusal(answer: Promise<Response>, by: number): void {
    answer.then(
      (response) => {
        if (isOk(response)) return;
        this.#mailRefusals ??= new Map();
        this.#mailRefusals.set(by, response);
      },
      () => undefined,
    );
  }

  /** What filter number `at` has heard in answer to MAIL, when it was a refusal: the word of the first from there on that has one. */
  #mailRefusalAt(at: number): Response | undefined {
    if (this.#mailRefusals === undefined) return undefined;
    for (let i = at; i < this.#filters.length; i += 1) {
      if (this.#filters[i]?.mail !== undefined) return this.#mailRefusals.get(i);
    }
    return this.#mailRefusals.get(this.#filters.length);
  }
}
