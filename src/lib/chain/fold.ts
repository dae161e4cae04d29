/**
 * A chain is the fold of its filters over its output. Each link keeps the order of phases: what comes later enters a filter only after the
 * earlier step has been passed on or answered, so that a slow lookup at MAIL cannot be overtaken by RCPT.
 */
import type { Body } from '../core/body.ts';
import { must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { cancelledReply, mailFailed } from '../core/precondition.ts';
import { isOk, type Response } from '../core/response.ts';
import type { Filter, Next, TxContext } from './filter.ts';

export function fold(filters: readonly Filter[], tx: TxContext, output: Exchange): Exchange {
  return filters.reduceRight<Exchange>((upstream, filter) => new Link(filter, tx, upstream), output);
}

/** One filter and everything upstream of it. */
class Link implements Exchange {
  readonly #filter: Filter;
  readonly #tx: TxContext;
  readonly #upstream: Exchange;
  /** Settles when the latest step has been passed on or answered. */
  #passed: Promise<unknown> = Promise.resolve();
  #isMailPassedOn = false;
  #mailRefusal: Response | undefined;
  #isClosed = false;

  constructor(filter: Filter, tx: TxContext, upstream: Exchange) {
    this.#filter = filter;
    this.#tx = tx;
    this.#upstream = upstream;
  }

  mail(from: Mailbox): Promise<Response> {
    const onward = (value: Mailbox): Promise<Response> => {
      this.#isMailPassedOn = true;
      return this.#upstream.mail(value);
    };
    return this.#inTurn(onward, async (next) => {
      const response = await (this.#filter.mail?.(this.#tx, from, next) ?? next(from));
      // Set before the next step has its turn: a RCPT that waits already must not get past a refused MAIL.
      if (!isOk(response)) this.#mailRefusal = response;
      return response;
    });
  }

  rcpt(to: Mailbox): Promise<Response> {
    const onward = (value: Mailbox): Promise<Response> => {
      this.#mustHavePassedMail();
      return this.#upstream.rcpt(value);
    };
    return this.#inTurn(onward, (next) => this.#filter.rcpt?.(this.#tx, to, next) ?? next(to));
  }

  data(body: Body): Promise<Response> {
    const onward = (value: Body): Promise<Response> => {
      this.#mustHavePassedMail();
      return this.#upstream.data(value);
    };
    return this.#inTurn(onward, (next) => this.#filter.data?.(this.#tx, body, next) ?? next(body));
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.#upstream.close();
  }

  #mustHavePassedMail(): void {
    must(this.#isMailPassedOn, 'a filter that keeps MAIL to itself must answer what follows by itself');
  }

  /** Runs a step when the one before it has been passed on or answered. Once closed, nothing is passed on any more. */
  async #inTurn<T>(onward: Next<T>, step: (next: Next<T>) => Promise<Response>): Promise<Response> {
    const before = this.#passed;
    let pass: () => void = () => undefined;
    this.#passed = new Promise<void>((resolve) => {
      pass = resolve;
    });
    const next = (value: T): Promise<Response> => {
      if (this.#isClosed) return Promise.resolve(cancelledReply);
      const answer = onward(value);
      pass();
      return answer;
    };
    try {
      await before;
      if (this.#isClosed) return cancelledReply;
      if (this.#mailRefusal !== undefined) return mailFailed(this.#mailRefusal);
      return await step(next);
    } finally {
      pass();
    }
  }
}
