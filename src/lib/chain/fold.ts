/**
 * A chain is the fold of its filters over its output. Each link keeps the order of phases: what comes later enters a filter only after the
 * earlier step has been passed on or answered, so that a slow lookup at MAIL cannot be overtaken by RCPT.
 */
import type { Body } from '../core/body.ts';
import { must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { mailFailed } from '../core/precondition.ts';
import { isOk, type Response } from '../core/response.ts';
import type { Filter, Next, TxContext } from './filter.ts';

export function fold(filters: readonly Filter[], tx: TxContext, output: Exchange): Exchange {
  return filters.reduceRight<Exchange>((upstream, filter) => new Link(filter, tx, upstream), output);
}

type StepOf<T> = ((tx: TxContext, value: T, next: Next<T>) => Promise<Response>) | undefined;

/** One filter and everything upstream of it. */
class Link implements Exchange {
  readonly #filter: Filter;
  readonly #tx: TxContext;
  readonly #upstream: Exchange;
  /** Settles when the latest step has been passed on or answered. */
  #passed: Promise<unknown> = Promise.resolve();
  #mailPassedOn = false;
  #mailRefusal: Response | undefined;

  constructor(filter: Filter, tx: TxContext, upstream: Exchange) {
    this.#filter = filter;
    this.#tx = tx;
    this.#upstream = upstream;
  }

  async mail(from: Mailbox): Promise<Response> {
    const onward = (value: Mailbox): Promise<Response> => {
      this.#mailPassedOn = true;
      return this.#upstream.mail(value);
    };
    const response = await this.#inTurn(() => this.#filter.mail?.bind(this.#filter), from, onward);
    if (!isOk(response) && !this.#mailPassedOn) this.#mailRefusal = response;
    return response;
  }

  rcpt(to: Mailbox): Promise<Response> {
    return this.#inTurn(
      () => this.#filter.rcpt?.bind(this.#filter),
      to,
      (value) => {
        this.#mustHavePassedMail();
        return this.#upstream.rcpt(value);
      },
    );
  }

  data(body: Body): Promise<Response> {
    return this.#inTurn(
      () => this.#filter.data?.bind(this.#filter),
      body,
      (value) => {
        this.#mustHavePassedMail();
        return this.#upstream.data(value);
      },
    );
  }

  close(): Promise<void> {
    return this.#upstream.close();
  }

  #mustHavePassedMail(): void {
    must(this.#mailPassedOn, 'a filter that keeps MAIL to itself must answer what follows by itself');
  }

  async #inTurn<T>(stepOf: () => StepOf<T>, value: T, next: Next<T>): Promise<Response> {
    const before = this.#passed;
    let pass: () => void = () => undefined;
    this.#passed = new Promise<void>((resolve) => {
      pass = resolve;
    });
    const onward = (given: T): Promise<Response> => {
      const answer = next(given);
      pass();
      return answer;
    };
    try {
      await before;
      if (this.#mailRefusal !== undefined) return mailFailed(this.#mailRefusal);
      const step = stepOf();
      return await (step === undefined ? onward(value) : step(this.#tx, value, onward));
    } finally {
      pass();
    }
  }
}
