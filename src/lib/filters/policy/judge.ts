/** How a policy acts in a chain: on the transaction, once everything it reads is there, or on each recipient. */
import type { Filter, Next, Phase, TxContext } from '../../chain/filter.ts';
import type { Body } from '../../core/body.ts';
import type { Mailbox } from '../../core/mailbox.ts';
import { isOk, type Response } from '../../core/response.ts';
import { type PolicyAction, type PolicyVerdict, policyOutcomeSignal } from '../../core/signals/policy-outcome.ts';
import type { Matcher, RcptInHand } from '../../matchers/matcher.ts';

export interface Policy {
  readonly tag: string;
  readonly rule: string;
  readonly test: Matcher;
  readonly draw: () => PolicyAction;
  readonly rejection: Response;
  /** Where it is written, for people who wonder. */
  readonly place: string | undefined;
}

/** Judged once, in its phase: what is refused at MAIL or DATA goes no further. */
export function judgesTransactions(policy: Policy, phase: Phase): () => Filter {
  if (phase === 'rcpt') return () => new TransactionJudge(policy);
  const isRefused = (tx: TxContext): boolean =>
    !isSettled(tx, policy.tag) && decide(policy, tx, undefined) === 'REJECT';
  const judge: Filter =
    phase === 'mail'
      ? { mail: (tx, from, next) => (isRefused(tx) ? Promise.resolve(policy.rejection) : next(from)) }
      : { data: (tx, body, next) => (isRefused(tx) ? Promise.resolve(policy.rejection) : next(body)) };
  return () => judge;
}

/** Judged at RCPT, again for each recipient until it is decided. A rejection holds for everything from then on. */
class TransactionJudge implements Filter {
  readonly #policy: Policy;
  #isDecided = false;
  #isRefused = false;

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  rcpt(tx: TxContext, to: Mailbox, next: Next<Mailbox>): Promise<Response> {
    if (!this.#isDecided && !isSettled(tx, this.#policy.tag)) {
      const decided = decide(this.#policy, tx, undefined);
      this.#isDecided = decided !== undefined;
      this.#isRefused = decided === 'REJECT';
    }
    return this.#answerOr(to, next);
  }

  data(_: TxContext, body: Body, next: Next<Body>): Promise<Response> {
    return this.#answerOr(body, next);
  }

  #answerOr<T>(value: T, next: Next<T>): Promise<Response> {
    return this.#isRefused ? Promise.resolve(this.#policy.rejection) : next(value);
  }
}

/** Each recipient is judged by itself, whatever happened to the ones before it; one that is not answered yet counts as accepted. */
export class RcptJudge implements Filter {
  readonly #policy: Policy;
  /** The policy may ask how many were accepted; otherwise nobody need hear the answers. */
  readonly #isCounted: boolean;
  #acceptedBefore = 0;

  constructor(policy: Policy, isCounted: boolean) {
    this.#policy = policy;
    this.#isCounted = isCounted;
  }

  rcpt(tx: TxContext, to: Mailbox, next: Next<Mailbox>): Promise<Response> {
    const { tag, rejection } = this.#policy;
    const rcpt = { to, acceptedBefore: this.#acceptedBefore };
    if (!isSettled(tx, tag, to) && decide(this.#policy, tx, rcpt) === 'REJECT') return Promise.resolve(rejection);
    if (!this.#isCounted) return next(to);
    this.#acceptedBefore += 1;
    return next(to).then((response) => {
      if (!isOk(response)) this.#acceptedBefore -= 1;
      return response;
    });
  }
}

/** Asks the question, records and logs what came of it; `undefined` when the policy does not match. */
function decide(policy: Policy, tx: TxContext, rcpt: RcptInHand | undefined): PolicyVerdict['action'] | undefined {
  const answer = policy.test(tx, rcpt);
  if (answer === 'noMatch') return undefined;
  const { tag, rule, place } = policy;
  const decided = answer === 'unmet' ? 'UNMET' : policy.draw();
  const verdict: PolicyVerdict = {
    tag,
    rule,
    action: decided,
    ...(rcpt !== undefined && { rcpt: rcpt.to }),
    ...(place !== undefined && { place }),
  };
  tx.signals.set(policyOutcomeSignal, [...(tx.signals.get(policyOutcomeSignal) ?? []), verdict]);
  const line = { tag, rule, action: decided, place };
  if (decided === 'UNMET') tx.log.info(line, 'policy not judged, a fact it needs does not exist');
  else tx.log.info(line, 'policy matched');
  return decided;
}

/** A rejection of one recipient settles nothing for a repetition of it: it is rejected again. */
function isSettled(tx: TxContext, tag: string, rcpt?: Mailbox): boolean {
  const outcome = tx.signals.get(policyOutcomeSignal);
  if (outcome === undefined) return false;
  const settling = rcpt === undefined ? ['MATCH', 'REJECT', 'UNMET'] : ['MATCH', 'UNMET'];
  return outcome.some((v) => v.tag === tag && v.rcpt === rcpt && settling.includes(v.action));
}
