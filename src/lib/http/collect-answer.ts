/**
 * One request over undici's `dispatch`, with the answer in one piece. Its own `request` makes a stream, an async resource and listeners for each
 * answer, which for the few hundred bytes that peers say costs more than sending the request.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { limits } from '../core/limits.ts';
import type { Ending } from './deadline.ts';
import { HttpTrouble, type SentAnswer, type SentRequest } from './request.ts';

/** Sends a request; rejects with `HttpTrouble` or with what undici says. */
export function collectAnswer(pool: Dispatcher, ask: SentRequest): Promise<SentAnswer> {
  return new Promise((resolve, reject) => {
    const { method, path, headers, body, ending } = ask;
    pool.dispatch({ method, path, headers, body }, new Collector(ending, resolve, reject));
  });
}

class Collector implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: SentAnswer) => void;
  readonly #reject: (error: Error) => void;
  readonly #forget: () => void;
  #controller: Dispatcher.DispatchController | undefined;
  /** Why nobody waits for the answer any more. */
  #failure: Error | undefined;
  #statusCode = 0;
  #headers: IncomingHttpHeaders = {};
  #parts: Buffer[] = [];
  #size = 0;

  constructor(ending: Ending, resolve: (answer: SentAnswer) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#forget = ending.onEnd(() => this.#fail(aborted()));
    if (ending.isEnded) this.#fail(aborted());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#failure !== undefined) controller.abort(this.#failure);
  }

  onResponseStart(_: Dispatcher.DispatchController, statusCode: number, headers: IncomingHttpHeaders): void {
    // Interim answers (1xx) come before.
    this.#statusCode = statusCode;
    this.#headers = headers;
  }

  onResponseData(_: Dispatcher.DispatchController, part: Buffer): void {
    this.#size += part.length;
    if (this.#size > limits.httpAnswerBytes) this.#fail(new HttpTrouble('tooLarge', 'the answer is too large'));
    else this.#parts.push(part);
  }

  onResponseEnd(): void {
    if (this.#failure !== undefined) return;
    this.#forget();
    const [first, second] = this.#parts;
    const body = first !== undefined && second === undefined ? first : Buffer.concat(this.#parts);
    this.#resolve({ statusCode: this.#statusCode, headers: this.#headers, body });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#forget();
    this.#reject(error);
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#forget?.();
    this.#reject(error);
    this.#controller?.abort(error);
  }
}

function aborted(): HttpTrouble {
  return new HttpTrouble('aborted', 'the deadline passed or the exchange ended');
}
