/**
 * One recipient of an exploder: its child, what the client was told of it, and the wait for what the far end says next. A message has several
 * such waits, so none of them makes a promise: who waits is called.
 */
import type { Child } from '../chain/child.ts';
import type { Body } from '../core/body.ts';
import type { Clock } from '../core/deps.ts';
import type { RcptAnswer } from '../core/fanout.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { isOk, type Response } from '../core/response.ts';

export class Recipient {
  readonly child: Child;
  /** What the client was told; unknown until it was. */
  standing: RcptAnswer['standing'] | undefined;
  /** The answer to RCPT, for who asks for the message before it is there. */
  told: Promise<Response> | undefined;
  /** The answer to what was asked last; `undefined` when it did not come in time. */
  reply: Response | undefined;
  /** The far end's answer to MAIL and RCPT, and to the message, whenever it comes. */
  #envelope: Response | undefined;
  #data: Response | undefined;
  #isDataAsked = false;
  #onAnswer: (() => void) | undefined;
  #forget: (() => void) | undefined;

  constructor(child: Child) {
    this.child = child;
  }

  get bounces(): boolean {
    return this.child.bounces;
  }

  askEnvelope(from: Mailbox, to: Mailbox): void {
    this.child.askEnvelope(from, to, (response) => {
      this.#envelope = response;
      this.#look();
    });
  }

  askData(body: Body): void {
    this.#isDataAsked = true;
    this.child.askData(body, (response) => {
      this.#data = response;
      this.#look();
    });
  }

  /**
   * Calls back once, when `reply` is the answer to what was asked last, or that is late, or `endWait` says that nobody waits any more. Without
   * any time only what is there already counts.
   */
  wait(ms: number, clock: Clock, onAnswer: () => void): void {
    this.#onAnswer = onAnswer;
    const answer = this.#answer;
    if (answer !== undefined || ms <= 0) this.#end(answer);
    else this.#forget = clock.after(ms, () => this.endWait());
  }

  endWait(): void {
    this.#end(undefined);
  }

  /** DATA is not asked of a recipient that is adopted anyway. */
  skipData(): void {
    this.reply = undefined;
  }

  /** A recipient that was accepted before the far end answered may be refused by now: then its own words are the answer to DATA. */
  get #answer(): Response | undefined {
    const envelope = this.#envelope;
    return this.#isDataAsked && envelope !== undefined && isOk(envelope) ? this.#data : envelope;
  }

  #look(): void {
    const answer = this.#answer;
    if (answer !== undefined) this.#end(answer);
  }

  #end(answer: Response | undefined): void {
    const onAnswer = this.#onAnswer;
    if (onAnswer === undefined) return;
    this.#onAnswer = undefined;
    this.#forget?.();
    this.#forget = undefined;
    this.reply = answer;
    onAnswer();
  }
}
