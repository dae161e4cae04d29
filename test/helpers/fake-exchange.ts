/** Exchanges and hops that answer as the test says and remember what they were asked, in order. */
import type { Body } from '../../src/lib/core/body.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import type { Hop, HopAsk } from '../../src/lib/core/hop.ts';
import { type Mailbox, mailbox } from '../../src/lib/core/mailbox.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';

/** A promise that the test settles when it wants. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** An answer that never comes. */
export const never: Promise<never> = new Promise(() => undefined);

export const ok: Response = reply(250, '2.0.0', 'ok');
export const tempFail: Response = reply(451, '4.7.1', 'greylisted');
export const permFail: Response = reply(550, '5.1.1', 'no such user');

type Answer<T> = Response | Promise<Response> | ((value: T) => Response | Promise<Response>);

export interface FakeAnswers {
  readonly mail?: Answer<Mailbox>;
  readonly rcpt?: Answer<Mailbox>;
  readonly data?: Answer<Body>;
}

export class FakeExchange implements Exchange {
  /** `MAIL a@x`, `RCPT b@y`, `DATA 12`, `CLOSE`. */
  readonly asked: string[] = [];
  readonly bodies: Body[] = [];
  readonly #answers: FakeAnswers;

  constructor(answers: FakeAnswers = {}) {
    this.#answers = answers;
  }

  get isClosed(): boolean {
    return this.asked.includes('CLOSE');
  }

  mail(from: Mailbox): Promise<Response> {
    this.asked.push(`MAIL ${from.address}`);
    return answered(this.#answers.mail, from);
  }

  rcpt(to: Mailbox): Promise<Response> {
    this.asked.push(`RCPT ${to.address}`);
    return answered(this.#answers.rcpt, to);
  }

  data(body: Body): Promise<Response> {
    this.asked.push(`DATA ${body.size}`);
    this.bodies.push(body);
    return answered(this.#answers.data, body);
  }

  close(): Promise<void> {
    this.asked.push('CLOSE');
    return Promise.resolve();
  }
}

/** A function that throws makes the step reject: a bug. */
async function answered<T>(answer: Answer<T> = ok, value: T): Promise<Response> {
  return typeof answer === 'function' ? answer(value) : answer;
}

/** Opens one exchange after the other with the given answers; the last ones serve for all that follow. */
export class HopSequence implements Hop {
  readonly asks: HopAsk[] = [];
  readonly exchanges: FakeExchange[] = [];
  readonly #answers: readonly FakeAnswers[];

  constructor(...answers: readonly FakeAnswers[]) {
    this.#answers = answers;
  }

  open(ask: HopAsk): FakeExchange {
    const exchange = new FakeExchange(this.#answers[Math.min(this.asks.length, this.#answers.length - 1)]);
    this.asks.push(ask);
    this.exchanges.push(exchange);
    return exchange;
  }
}

export const sender: Mailbox = mailbox('a@from.test');
export const recipient: Mailbox = mailbox('b@to.test');
