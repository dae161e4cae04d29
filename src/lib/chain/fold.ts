/**
 * A chain is the fold of its filters over its output. Each link keeps the order of phases: what comes later enters a filter only after the
 * earlier step has been passed on or answered, so that a slow lookup at MAIL cannot be overtaken by RCPT. Where nothing waits, a step
 * goes through at once, by a call.
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

/** A filter's part in one phase. */
type Hook<T> = (tx: TxContext, value: T, next: Next<T>) => Promise<Response>;

type OnAnswer = (response: Response) => void;

/** One filter and everything upstream of it. */
class Link implements Exchange {
  readonly #filter: Filter;
  readonly #tx: TxContext;
  readonly #upstream: Exchange;
  /** The filter has a step that it has neither passed on nor answered. */
  #isBusy = false;
  /** Steps that came meanwhile, in order. */
  readonly #waiting: (() => void)[] = [];
  #isMailPassedOn = false;
  #mailRefusal: Response | undefined;
  #isClosed = false;

  constructor(filter: Filter, tx: TxContext, upstream: Exchange) {
    this.#filter = filter;
    this.#tx = tx;
    this.#upstream = upstream;
  }

  mail(from: Mailbox): Promise<Response> {
    return this.#inTurn(this.#filter.mail, from, this.#mailOnward, this.#onMailAnswer);
  }

  rcpt(to: Mailbox): Promise<Response> {
    return this.#inTurn(this.#filter.rcpt, to, this.#rcptOnward);
  }

  data(body: Body): Promise<Response> {
    return this.#inTurn(this.#filter.data, body, this.#dataOnward);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.#upstream.close();
  }

  readonly #mailOnward = (from: Mailbox): Promise<Response> => {
    this.#isMailPassedOn = true;
    return this.#upstream.mail(from);
  };

  readonly #rcptOnward = (to: Mailbox): Promise<Response> => {
    this.#mustHavePassedMail();
    return this.#upstream.rcpt(to);
  };

  readonly #dataOnward = (body: Body): Promise<Response> => {
    this.#mustHavePassedMail();
    return this.#upstream.data(body);
  };

  readonly #onMailAnswer = (response: Response): void => {
    if (!isOk(response)) this.#mailRefusal = response;
  };

  #mustHavePassedMail(): void {
    must(this.#isMailPassedOn, 'a filter that keeps MAIL to itself must answer what follows by itself');
  }

  #inTurn<T>(hook: Hook<T> | undefined, value: T, onward: Next<T>, onAnswer?: OnAnswer): Promise<Response> {
    if (!this.#isBusy) return this.#step(hook, value, onward, onAnswer);
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(this.#step(hook, value, onward, onAnswer)));
    });
  }

  /** Once closed, nothing is passed on any more. */
  #step<T>(hook: Hook<T> | undefined, value: T, onward: Next<T>, onAnswer: OnAnswer | undefined): Promise<Response> {
    if (this.#isClosed) return this.#passed(Promise.resolve(cancelledReply));
    if (this.#mailRefusal !== undefined) return this.#passed(Promise.resolve(mailFailed(this.#mailRefusal)));
    if (hook === undefined) return this.#passed(heard(guarded(onward, value), onAnswer));
    this.#isBusy = true;
    let isPassed = false;
    const pass = (): void => {
      if (isPassed) return;
      isPassed = true;
      this.#isBusy = false;
      this.#waiting.shift()?.();
    };
    const next = (passed: T): Promise<Response> => {
      if (this.#isClosed) return Promise.resolve(cancelledReply);
      const answer = onward(passed);
      pass();
      return answer;
    };
    // Heard before the next step has its turn: a RCPT that waits already must not get past a refused MAIL.
    const answer = heard(
      guarded((given) => hook.call(this.#filter, this.#tx, given, next), value),
      onAnswer,
    );
    if (!isPassed) answer.then(pass, pass);
    return answer;
  }

  /** A step that the filter has no part in: whoever waits behind it comes next. */
  #passed(answer: Promise<Response>): Promise<Response> {
    this.#waiting.shift()?.();
    return answer;
  }
}

/** A filter that throws where it should have rejected is a bug like any other. */
function guarded<T>(step: Next<T>, value: T): Promise<Response> {
  try {
    return step(value);
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

function heard(answer: Promise<Response>, onAnswer: OnAnswer | undefined): Promise<Response> {
  // A rejection is the business of whoever asked.
  if (onAnswer !== undefined) answer.then(onAnswer, () => undefined);
  return answer;
}
